use serde_json::{Value, json};

use super::RecordedReply;

/// What stands in the place of a secret. It is base64 too, because some secrets are.
const SCRUBBED: &str = "c2NydWJiZWQ=";

/// Removes passwords, keys and the input of programs from a request and its reply.
pub(crate) fn scrub(command: &str, arguments: &mut Value, reply: &mut Option<RecordedReply>) {
    match command {
        "guest-set-user-password" => {
            hide_all_but(arguments, &["username", "crypted"]);
            hide_words(reply);
        }
        "guest-ssh-add-authorized-keys" | "guest-ssh-remove-authorized-keys" => {
            hide_all_but(arguments, &["username", "reset"]);
            hide_words(reply);
        }
        "guest-exec" => hide(arguments, "input-data"),
        "guest-ssh-get-authorized-keys" => {
            if let Some(RecordedReply::Return(value)) = reply {
                hide(value, "keys");
            }
        }
        _ => {}
    }
}

/// A misspelt name may hold a secret too.
fn hide_all_but(arguments: &mut Value, plain: &[&str]) {
    for (name, value) in arguments.as_object_mut().into_iter().flatten() {
        if !plain.contains(&name.as_str()) {
            cover(value);
        }
    }
}

fn hide(members: &mut Value, name: &str) {
    if let Some(value) = members.get_mut(name) {
        cover(value);
    }
}

/// A list keeps its length.
fn cover(value: &mut Value) {
    match value {
        Value::Array(values) => values.fill(json!(SCRUBBED)),
        value => *value = json!(SCRUBBED),
    }
}

/// An agent's words may quote what it was given.
fn hide_words(reply: &mut Option<RecordedReply>) {
    if let Some(RecordedReply::Error { text, .. }) = reply {
        "scrubbed: the words may quote a secret".clone_into(text);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{RecordedReply, scrub};

    #[test]
    fn neither_a_misspelt_member_nor_the_agents_words_keep_a_secret() {
        for command in ["guest-set-user-password", "guest-ssh-add-authorized-keys"] {
            let mut arguments = json!({"username": "ada", "pasword": "SECRET", "keys": ["SECRET"]});
            let mut reply = Some(RecordedReply::Error {
                class: "GenericError".into(),
                text: "invalid OpenSSH public key: 'SECRET'".into(),
            });
            scrub(command, &mut arguments, &mut reply);
            assert_eq!(arguments["username"], "ada");
            let kept = format!("{arguments} {reply:?}");
            assert!(!kept.contains("SECRET"), "{kept}");
        }
    }
}
