//! The facts and recordings that several tests stand on.

pub(crate) mod facts;
pub(crate) mod types;

use serde_json::Value;

/// What a real agent answered to a request.
pub(crate) struct Recorded {
    /// Agent and case, for messages.
    pub(crate) source: String,
    pub(crate) command: String,
    pub(crate) arguments: Value,
    pub(crate) reply: Value,
}

pub(crate) fn recorded() -> Vec<Recorded> {
    let all: Value = serde_json::from_str(include_str!("../../fixtures/recorded.json")).unwrap();
    let record = |entry: &Value| Recorded {
        source: format!("{} {}", entry["agent"], entry["case"]),
        command: entry["command"].as_str().unwrap().to_owned(),
        arguments: entry["arguments"].clone(),
        reply: entry["return"].clone(),
    };
    all.as_array().unwrap().iter().map(record).collect()
}

/// Whether two values are equal where 7 and 7.0 are the same number.
pub(crate) fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) if a.is_f64() || b.is_f64() => {
            a.as_f64() == b.as_f64()
        }
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            let equal = |(key, a)| b.get(key).is_some_and(|b| same(a, b));
            a.len() == b.len() && a.iter().all(equal)
        }
        _ => a == b,
    }
}
