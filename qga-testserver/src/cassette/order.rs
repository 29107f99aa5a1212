//! Which requests must come in the recorded order, and which are repeated by chance.

use serde_json::Value;

use super::{Exchange, RecordedReply};

/// The open file or the process that a request is about, if it is about one.
///
/// A client that reads two files side by side does so in a different order each time.
pub(super) fn topic(command: &str, arguments: &Value) -> Option<String> {
    let name = match command {
        "guest-exec-status" => "pid",
        "guest-file-close" | "guest-file-flush" | "guest-file-read" | "guest-file-seek"
        | "guest-file-write" => "handle",
        _ => return None,
    };
    let value = arguments.get(name)?;
    Some(format!("{name} {value}"))
}

/// Whether the answer was that there is nothing new yet. How often a client asks that is up to chance.
pub(super) fn is_idle(exchange: &Exchange) -> bool {
    let Some(RecordedReply::Return(value)) = &exchange.reply else {
        return false;
    };
    match exchange.command.as_str() {
        "guest-exec-status" => value.get("exited") == Some(&Value::Bool(false)),
        "guest-file-read" => value.get("count").and_then(Value::as_u64) == Some(0),
        _ => false,
    }
}
