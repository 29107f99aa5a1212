use serde_json::Value;

/// What a stub answers: a value, or an error of the agent.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Answer {
    /// The agent returns this value.
    Return(Value),
    /// The agent answers with this error.
    #[non_exhaustive]
    Error {
        /// The error's class: `GenericError` or `CommandNotFound`.
        class: String,
        /// The error's text.
        text: String,
    },
}

impl Answer {
    /// Makes an error of this class with this text.
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
