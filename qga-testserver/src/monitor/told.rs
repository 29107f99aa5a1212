use serde_json::Value;

/// Adds a member to an object that is told.
pub(super) fn add(told: &mut Value, name: &str, value: impl Into<Value>) {
    if let Value::Object(members) = told {
        members.insert(name.to_owned(), value.into());
    }
}
