use super::order;
use super::utf8;

/// A JSON value as the agent holds it: strings are bytes, numbers keep their kind.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    Int(i64),
    UInt(u64),
    Double(f64),
    String(Vec<u8>),
    Array(Vec<Value>),
    Object(Object),
}

/// The members of an object, in the order in which they were added.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Object(Vec<(Vec<u8>, Value)>);

impl Object {
    /// An object with these members.
    pub(crate) fn of<const N: usize>(members: [(&str, Value); N]) -> Self {
        Self(
            members
                .into_iter()
                .map(|(name, value)| (name.into(), value))
                .collect(),
        )
    }

    /// Adds a member. The caller makes sure that the name is new.
    pub(crate) fn put(&mut self, name: impl Into<Vec<u8>>, value: Value) {
        self.0.push((name.into(), value));
    }

    /// Removes a member and returns it.
    pub(crate) fn take(&mut self, name: &str) -> Option<Value> {
        let index = self.0.iter().position(|(key, _)| key == name.as_bytes())?;
        Some(self.0.remove(index).1)
    }

    /// A member's value.
    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        self.0
            .iter()
            .find(|(key, _)| key == name.as_bytes())
            .map(|(_, value)| value)
    }

    /// The members in the order in which the agent writes them: by bucket, and the last one added first.
    pub(crate) fn in_wire_order(&self) -> Vec<(&[u8], &Value)> {
        let mut members: Vec<_> = self
            .0
            .iter()
            .rev()
            .map(|(name, value)| (order::bucket(name), name.as_slice(), value))
            .collect();
        members.sort_by_key(|(bucket, ..)| *bucket);
        members
            .into_iter()
            .map(|(_, name, value)| (name, value))
            .collect()
    }
}

impl Value {
    /// The value as `serde_json` holds it. Bytes that are not text become U+FFFD.
    pub(crate) fn to_json(&self) -> serde_json::Value {
        match self {
            Value::Null => serde_json::Value::Null,
            Value::Bool(value) => (*value).into(),
            Value::Int(value) => (*value).into(),
            Value::UInt(value) => (*value).into(),
            Value::Double(value) => (*value).into(),
            Value::String(value) => text(value).into(),
            Value::Array(values) => values.iter().map(Value::to_json).collect(),
            Value::Object(object) => object
                .0
                .iter()
                .map(|(name, value)| (text(name), value.to_json()))
                .collect(),
        }
    }
}

impl From<&serde_json::Value> for Value {
    fn from(value: &serde_json::Value) -> Self {
        match value {
            serde_json::Value::Null => Value::Null,
            serde_json::Value::Bool(value) => Value::Bool(*value),
            serde_json::Value::Number(number) => number
                .as_i64()
                .map(Value::Int)
                .or_else(|| number.as_u64().map(Value::UInt))
                .unwrap_or_else(|| Value::Double(number.as_f64().unwrap_or_default())),
            serde_json::Value::String(text) => text.as_str().into(),
            serde_json::Value::Array(values) => {
                Value::Array(values.iter().map(Value::from).collect())
            }
            serde_json::Value::Object(members) => {
                let members = members
                    .iter()
                    .map(|(name, value)| (bytes(name), value.into()));
                Value::Object(Object(members.collect()))
            }
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Value::String(bytes(text))
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Value::Int(number)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Value::Bool(value)
    }
}

/// The agent's bytes as text.
pub(crate) fn text(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    let mut rest = bytes;
    while !rest.is_empty() {
        let (code, length) = utf8::decode(rest);
        text.push(
            code.and_then(char::from_u32)
                .unwrap_or(char::REPLACEMENT_CHARACTER),
        );
        rest = rest.get(length.max(1)..).unwrap_or_default();
    }
    text
}

/// Text as the agent's bytes, where a zero is two bytes.
fn bytes(text: &str) -> Vec<u8> {
    let pieces: Vec<&[u8]> = text.split('\0').map(str::as_bytes).collect();
    pieces.join(&[0xC0, 0x80][..])
}
