use std::collections::HashMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::value::RawValue;

use super::{LONG, MOST_MEMBERS, from_long_object};
use crate::json::RawObject;

#[derive(Debug, Deserialize, PartialEq)]
struct Read {
    count: i64,
    #[serde(rename = "buf-b64", with = "crate::base64")]
    data: Vec<u8>,
    eof: Option<bool>,
}

#[derive(Debug, Deserialize, PartialEq)]
struct Texts {
    long: String,
    #[serde(default)]
    other: Option<String>,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(untagged)]
enum Either {
    Read(Read),
    Texts(Texts),
}

#[derive(Debug, Deserialize, PartialEq)]
struct Flat {
    count: i64,
    #[serde(flatten)]
    rest: HashMap<String, Value>,
}

fn long(fill: &str) -> String {
    fill.repeat(LONG)
}

/// What comes out is what `serde_json` would read, or it is left to `serde_json`.
fn check<R: DeserializeOwned + PartialEq + std::fmt::Debug>(json: &str, is_read: bool) {
    let short = |text: &str| text.chars().take(200).collect::<String>();
    let read = from_long_object::<R>(json.as_bytes());
    assert_eq!(read.is_some(), is_read, "{}", short(json));
    if let Some(read) = read {
        assert!(
            read == serde_json::from_str(json).unwrap(),
            "{}",
            short(json)
        );
    }
}

#[test]
fn an_object_with_a_long_text_is_what_serde_json_reads() {
    let data = long("QUJD");
    check::<Read>(
        &format!(r#" {{"count": 3072, "buf-b64": "{data}", "eof": false}}"#),
        true,
    );
    check::<Read>(&format!(r#"{{"count":3072,"buf-b64":"{data}"}}"#), true);
    check::<Read>(
        &format!("{{\"eof\"\t:\ntrue ,\"buf-b64\":\"{data}\",\"count\" : 1}} "),
        true,
    );
    check::<Read>(
        &format!(r#"{{"count": 1, "what": "is", "buf-b64": "{data}QQ==", "new": null}}"#),
        true,
    );
    check::<Texts>(
        &format!(r#"{{"long": "{}", "other": "é"}}"#, long("é/")),
        true,
    );
    check::<Value>(
        &format!(r#"{{"long": "{data}", "a": 1, "b": 2.5, "c": true}}"#),
        true,
    );
    check::<Flat>(
        &format!(r#"{{"long": "{data}", "count": 1, "eof": true}}"#),
        true,
    );
    check::<Either>(&format!(r#"{{"count": 1, "buf-b64": "{data}"}}"#), true);
    check::<Either>(&format!(r#"{{"long": "{data}"}}"#), true);
}

#[test]
fn what_needs_a_closer_look_is_left_to_serde_json() {
    let data = long("QUJD");
    for json in [
        // Short, nested, or no object.
        r#"{"count": 3, "buf-b64": "QUJD"}"#.to_owned(),
        format!(r#"{{"count": 1, "buf-b64": "{data}", "nested": {{}}}}"#),
        format!(r#"{{"count": 1, "buf-b64": "{data}", "nested": [1]}}"#),
        format!(r#"["{data}"]"#),
        // Spelt with escapes, or as another kind of number.
        format!(r#"{{"count": 1, "buf-b64": "{data}\n"}}"#),
        format!(r#"{{"count": 1e0, "buf-b64": "{data}"}}"#),
        // Not base64.
        format!(r#"{{"count": 1, "buf-b64": "{data}="}}"#),
        format!(r#"{{"count": 1, "buf-b64": "{data} QUJD"}}"#),
        format!(r#"{{"count": 1, "buf-b64": "{data}QR=="}}"#),
        // Not JSON.
        format!(r#"{{"count": 1, "buf-b64": "{data}"#),
        format!(r#"{{"count": 1, "buf-b64": "{data}"}} x"#),
        format!(r#"{{"count": 1, "buf-b64": "{data}"x}}"#),
        format!(r#"{{"count": 1, "buf-b64": "{data}",}}"#),
        format!(r#"{{"count": 1,, "buf-b64": "{data}"}}"#),
        format!(r#"{{"count": 1 2, "buf-b64": "{data}"}}"#),
        format!(r#"{{"count": 01, "buf-b64": "{data}"}}"#),
        format!(r#"{{"count", "buf-b64": "{data}"}}"#),
        format!(r#"{{"count": 1, "buf-b64": "{data}", "a": nul}}"#),
        format!("{{\"count\": 1, \"buf-b64\": \"{data}\", \"a\": \"\t\"}}"),
        format!("{{\"count\": 1, \"buf-b64\": \"{data}\", \"a\t\": 1}}"),
        format!("{{\"count\": 1, \"buf-b64\": \"{data}\", \"a\": \u{a0}1}}"),
        // A member that is there twice, or missing.
        format!(r#"{{"count": 1, "count": 1, "buf-b64": "{data}"}}"#),
        format!(r#"{{"buf-b64": "{data}"}}"#),
    ] {
        check::<Read>(&json, false);
    }
}

#[test]
fn what_is_not_utf_8_is_left_to_who_says_so_even_where_nobody_reads_it() {
    let data = long("QUJD");
    let mut json = format!(r#"{{"count": 1, "buf-b64": "{data}", "new": "??"}}"#).into_bytes();
    let at = json.iter().position(|byte| *byte == b'?').unwrap();
    json[at] = 0xC3;
    assert_eq!(from_long_object::<Read>(&json), None);
}

#[test]
fn more_members_than_a_few_are_left_to_serde_json() {
    let members = |count| {
        let members: Vec<_> = (1..count).map(|n| format!("\"{n}\":1,")).collect();
        members.concat()
    };
    let json = |count| format!(r#"{{{}"buf-b64":"{}"}}"#, members(count), long("QUJD"));
    check::<Value>(&json(MOST_MEMBERS), true);
    check::<Value>(&json(MOST_MEMBERS + 1), false);
}

#[test]
fn text_that_is_kept_as_it_was_written_is_left_to_serde_json() {
    let json = format!(r#"{{"a": "{}", "b": 1.50}}"#, long("x"));
    assert!(from_long_object::<HashMap<String, Box<RawValue>>>(json.as_bytes()).is_none());
    let object = from_long_object::<RawObject>(json.as_bytes());
    assert!(object.is_none_or(|object| object == serde_json::from_str(&json).unwrap()));
    assert!(from_long_object::<Vec<u8>>(json.as_bytes()).is_none());
    assert!(from_long_object::<Option<Texts>>(json.as_bytes()).is_none());
}
