use serde_json::Value;

/// What a stub answers: a value to return, or an error of the agent.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Answer {
    /// The value of the reply's `return`.
    Return(Value),
    /// The reply's `error`.
    #[non_exhaustive]
    Error {
        /// The error's class: `GenericError` or `CommandNotFound`.
        class: String,
        /// The error's text.
        text: String,
    },
}

impl Answer {
    /// An error of this class with this text.
    #[must_use]
    pub fn error(class: &str, text: &str) -> Self {
        Answer::Error {
            class: class.to_owned(),
            text: text.to_owned(),
        }
    }
}

impl From<Value> for Answer {
    fn from(value: Value) -> Self {
        Answer::Return(value)
    }
}
