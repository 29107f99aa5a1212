//! What a request asks for, as far as libvirt must not see all of it.

use qga_core::TransportError;
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;

use super::REQUEST_LIMIT;

/// The two commands that are libvirt's own business. After a `guest-sync-delimited` it understands nothing more of
/// what the agent says.
const SYNCS: [&str; 2] = ["guest-sync", "guest-sync-delimited"];

/// How much one `guest-file-read` may ask for, in bytes, so that its reply has room for an `id`. What is read beyond
/// what a reply carries is lost, and the file's position has
/// moved.
const MOST_READ: u64 = 3_145_600;

/// What is to be done about a request.
#[derive(Debug)]
pub(super) enum Received<'a> {
    /// It is answered here.
    Sync(Vec<u8>),
    Command(Request<'a>),
}

/// A request that can be sent.
#[derive(Debug)]
pub(super) struct Request<'a> {
    text: &'a str,
    name: String,
    id: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Members<'a> {
    execute: String,
    #[serde(borrow)]
    arguments: Option<&'a RawValue>,
    #[serde(borrow)]
    id: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct SyncArguments {
    id: i64,
}

#[derive(Deserialize)]
struct ReadArguments {
    count: Option<u64>,
}

impl<'a> Request<'a> {
    /// Reads a request, and refuses what would do harm.
    pub(super) fn read(bytes: &'a [u8]) -> Result<Received<'a>, TransportError> {
        let refused = |why: &str| TransportError::other(why);
        if bytes.len() > REQUEST_LIMIT {
            return Err(refused(
                "the request is longer than libvirt carries in one piece",
            ));
        }
        let text = std::str::from_utf8(bytes).map_err(TransportError::other)?;
        let members: Members<'a> = serde_json::from_str(text).map_err(TransportError::other)?;
        if has_null_character(text) {
            return Err(refused(
                "the request has a text with the character U+0000, at which libvirt would cut it off",
            ));
        }
        if SYNCS.contains(&&*members.execute) {
            return sync_answer(&members).map(Received::Sync);
        }
        if members.execute == "guest-file-read" && reads_too_much(members.arguments) {
            let words = format!(
                "libvirt loses what one read brings beyond {MOST_READ} bytes; read less at once"
            );
            return Err(TransportError::other(words));
        }
        Ok(Received::Command(Self {
            text,
            name: members.execute,
            id: members.id,
        }))
    }

    pub(super) fn text(&self) -> &str {
        self.text
    }

    /// The command's name.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The reply that the agent must have sent. Libvirt keeps its class to itself.
    pub(super) fn agent_error(&self, desc: &str) -> Vec<u8> {
        let mut reply = json!({"error": {"class": "GenericError", "desc": desc}});
        add_id(&mut reply, self.id);
        reply.to_string().into()
    }
}

fn sync_answer(members: &Members<'_>) -> Result<Vec<u8>, TransportError> {
    let arguments = members.arguments.map_or("null", RawValue::get);
    let arguments: SyncArguments =
        serde_json::from_str(arguments).map_err(TransportError::other)?;
    let mut reply = json!({"return": arguments.id});
    add_id(&mut reply, members.id);
    Ok(reply.to_string().into())
}

fn add_id(reply: &mut serde_json::Value, id: Option<&RawValue>) {
    if let Some(id) = id
        && let Ok(id) = serde_json::from_str(id.get())
        && let Some(reply) = reply.as_object_mut()
    {
        reply.insert("id".into(), id);
    }
}

/// Arguments that make no sense are for the agent to refuse.
fn reads_too_much(arguments: Option<&RawValue>) -> bool {
    let arguments = arguments.map_or("null", RawValue::get);
    let count = serde_json::from_str(arguments).map(|arguments: ReadArguments| arguments.count);
    count.is_ok_and(|count| count.is_some_and(|count| count > MOST_READ))
}

/// Whether a text in this JSON has the character, which JSON always escapes.
fn has_null_character(json: &str) -> bool {
    let mut rest = json;
    while let Some((_, escape)) = rest.split_once('\\') {
        if escape.starts_with("u0000") {
            return true;
        }
        let mut characters = escape.chars();
        characters.next();
        rest = characters.as_str();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(request: &str) -> String {
        match Request::read(request.as_bytes()).unwrap() {
            Received::Command(request) => request.name().to_owned(),
            Received::Sync(_) => panic!("{request} is a sync"),
        }
    }

    fn refused(request: &str) -> String {
        Request::read(request.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn syncs_are_answered_here_however_they_are_spelt() {
        for request in [
            r#"{"execute":"guest-sync","arguments":{"id":7},"id":3}"#,
            r#"{"execute":"guest-sync-delimited","arguments":{"id":7},"id":3}"#,
            r#"{ "id" : 3, "\u0065xecute": "guest-sync\u002Ddelimited", "arguments": {"id": 7} }"#,
        ] {
            let Received::Sync(answer) = Request::read(request.as_bytes()).unwrap() else {
                panic!("{request} is passed on");
            };
            assert_eq!(answer, br#"{"id":3,"return":7}"#, "{request}");
        }
        for request in [
            r#"{"execute":"guest-sync"}"#,
            r#"{"execute":"guest-sync-delimited","arguments":{"id":"x"}}"#,
        ] {
            refused(request);
        }
    }

    #[test]
    fn what_is_no_request_is_refused() {
        for request in [
            "",
            "guest-ping",
            "[]",
            r#"{"arguments":{}}"#,
            r#"{"execute":"guest-ping","execute":"guest-sync-delimited"}"#,
            "\u{FEFF}{\"execute\":\"guest-ping\"}",
            r#"{"execute":"guest-ping"}{"execute":"guest-ping"}"#,
        ] {
            refused(request);
        }
        Request::read(b"\xFF{\"execute\":\"guest-ping\"}").unwrap_err();
        let long = format!(
            r#"{{"execute":"guest-ping","id":"{}"}}"#,
            "x".repeat(200_000)
        );
        assert!(refused(&long).contains("longer"));
    }

    #[test]
    fn a_null_character_is_refused_and_what_looks_like_one_is_not() {
        assert!(
            refused(r#"{"execute":"guest-ping","arguments":{"a":"x\u0000y"}}"#).contains("U+0000")
        );
        assert!(
            refused(r#"{"execute":"guest-ping","arguments":{"a":"\\\u0000"}}"#).contains("U+0000")
        );
        for text in [r"\\u0000", r"\u0001", r"\n"] {
            let request = format!(r#"{{"execute":"guest-ping","arguments":{{"a":"{text}"}}}}"#);
            assert_eq!(command(&request), "guest-ping", "{text}");
        }
    }

    #[test]
    fn a_read_whose_bytes_would_be_lost_is_not_begun() {
        let read = |count: &str| {
            format!(r#"{{"execute":"guest-file-read","arguments":{{"handle":1,"count":{count}}}}}"#)
        };
        assert_eq!(command(&read("3145600")), "guest-file-read");
        assert!(refused(&read("3145601")).contains("read less"));
        assert_eq!(command(&read("\"x\"")), "guest-file-read");
        assert_eq!(
            command(r#"{"execute":"guest-file-read"}"#),
            "guest-file-read"
        );
    }

    #[test]
    fn an_agents_error_is_a_reply_with_the_requests_id() {
        let request = br#"{"execute":"guest-ping","id":18446744073709551615}"#;
        let Received::Command(request) = Request::read(request).unwrap() else {
            panic!("it is a sync");
        };
        let reply = request.agent_error("it \"failed\"");
        let reply: serde_json::Value = serde_json::from_slice(&reply).unwrap();
        assert_eq!(reply["error"]["desc"], "it \"failed\"");
        assert_eq!(reply["id"], u64::MAX);
    }
}
