//! Replies that a newer or a broken agent might give.

use serde_json::{Value, json};

/// A name that no schema has.
const UNKNOWN: &str = "x-unknown";
/// The members whose values are of an enumeration.
const ENUMERATIONS: [&str; 4] = ["bus-type", "ip-address-type", "response", "type"];

/// Objects get members that nobody knows.
pub(super) fn with_fields(mut value: Value) -> Value {
    match &mut value {
        Value::Object(members) => {
            for member in members.values_mut() {
                *member = with_fields(member.take());
            }
            members.insert(UNKNOWN.into(), json!({"list": [1, null], "text": "x"}));
        }
        Value::Array(values) => {
            for element in values {
                *element = with_fields(element.take());
            }
        }
        _ => {}
    }
    value
}

/// Values of enumerations become one that nobody knows; so does a reply that is a string.
pub(super) fn with_values(value: Value) -> Value {
    match value {
        Value::String(_) => UNKNOWN.into(),
        other => within(other),
    }
}

fn within(mut value: Value) -> Value {
    match &mut value {
        Value::Object(members) => {
            for (name, member) in members {
                let known = ENUMERATIONS.contains(&name.as_str()) && member.is_string();
                *member = if known {
                    UNKNOWN.into()
                } else {
                    within(member.take())
                };
            }
        }
        Value::Array(values) => {
            for element in values {
                *element = within(element.take());
            }
        }
        _ => {}
    }
    value
}

/// Two bytes that cannot stand together come into the last string.
pub(super) fn with_broken_text(mut reply: Vec<u8>) -> Vec<u8> {
    let end = reply.iter().rposition(|byte| *byte == b'"');
    let end = end.unwrap_or(reply.len());
    reply.splice(end..end, *b"\xC3(");
    reply
}
