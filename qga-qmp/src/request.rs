//! A request as JSON.

use serde_json::value::RawValue;

use crate::wire::session::Band;

/// The request for a command, with arguments that are JSON already.
pub(crate) fn encode(name: &str, arguments: Option<&str>, id: u64, band: Band) -> Vec<u8> {
    let verb = match band {
        Band::In => "execute",
        Band::Out => "exec-oob",
    };
    let name = serde_json::Value::from(name);
    let arguments = arguments.map_or_else(String::new, |json| format!(",\"arguments\":{json}"));
    format!("{{\"{verb}\":{name}{arguments},\"id\":{id}}}\n").into_bytes()
}

/// What is returned where nothing is.
pub(crate) fn nothing() -> Box<RawValue> {
    RawValue::NULL.to_owned()
}
