use crate::wire::json::{Object, Value};

/// What a command returns, or the error that it fails with.
pub(crate) type Outcome = Result<Value, Failure>;

/// An error of the agent.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Failure {
    class: Vec<u8>,
    text: Vec<u8>,
}

impl Failure {
    /// An error of class `GenericError`.
    pub(crate) fn generic(text: impl Into<Vec<u8>>) -> Self {
        Self::new("GenericError", text)
    }

    /// An error of class `CommandNotFound`: the command is unknown or disabled.
    pub(crate) fn not_found(text: impl Into<Vec<u8>>) -> Self {
        Self::new("CommandNotFound", text)
    }

    /// What it says.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.text).into_owned()
    }

    /// An error of any class.
    pub(crate) fn new(class: impl Into<Vec<u8>>, text: impl Into<Vec<u8>>) -> Self {
        Self {
            class: class.into(),
            text: text.into(),
        }
    }
}

/// A reply before it is written as bytes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Reply {
    pub(crate) outcome: Outcome,
    pub(crate) id: Option<Value>,
    /// Whether a 0xFF byte comes before it.
    pub(crate) delimited: bool,
}

impl From<Failure> for Reply {
    fn from(failure: Failure) -> Self {
        Reply {
            outcome: Err(failure),
            id: None,
            delimited: false,
        }
    }
}

impl From<Reply> for Value {
    fn from(reply: Reply) -> Self {
        let mut object = Object::default();
        match reply.outcome {
            Ok(value) => object.put("return", value),
            Err(Failure { class, text }) => {
                let members = [
                    ("class", Value::String(class)),
                    ("desc", Value::String(text)),
                ];
                object.put("error", Value::Object(Object::of(members)));
            }
        }
        if let Some(id) = reply.id {
            object.put("id", id);
        }
        Value::Object(object)
    }
}
