//! Changes to a reply that make it look like one of a newer or a broken agent.

use serde_json::{Value, json};

/// A name that no schema has.
const UNKNOWN: &str = "x-unknown";
/// The members whose values belong to an enumeration.
const ENUMERATIONS: [&str; 4] = ["bus-type", "ip-address-type", "response", "type"];

/// Adds members to each object that no schema has.
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

/// Replaces each value of an enumeration by one that no schema has, and so a reply that is a string.
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

/// Puts two bytes into the last string that are not UTF-8 together.
pub(super) fn with_broken_text(mut reply: Vec<u8>) -> Vec<u8> {
    let end = reply.iter().rposition(|byte| *byte == b'"');
    let end = end.unwrap_or(reply.len());
    reply.splice(end..end, *b"\xC3(");
    reply
}
