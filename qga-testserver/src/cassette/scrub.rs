use serde_json::{Value, json};

use super::Reply;

/// What stands in the place of a secret. It is base64 too, because some secrets are.
const SCRUBBED: &str = "c2NydWJiZWQ=";

/// Takes passwords, keys and what programs read out of a request and its reply.
pub(crate) fn scrub(command: &str, arguments: &mut Value, reply: &mut Option<Reply>) {
    match command {
        "guest-set-user-password" => hide(arguments, "password"),
        "guest-exec" => hide(arguments, "input-data"),
        "guest-ssh-add-authorized-keys" | "guest-ssh-remove-authorized-keys" => {
            hide(arguments, "keys");
        }
        "guest-ssh-get-authorized-keys" => {
            if let Some(Reply::Return(value)) = reply {
                hide(value, "keys");
            }
        }
        _ => {}
    }
}

/// A list keeps its length.
fn hide(members: &mut Value, name: &str) {
    match members.get_mut(name) {
        Some(Value::Array(values)) => values.fill(json!(SCRUBBED)),
        Some(value) => *value = json!(SCRUBBED),
        None => {}
    }
}
