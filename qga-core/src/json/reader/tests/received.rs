//! Replies as they come in, of which nobody knows yet whether they are text.

use std::fmt::Debug;

use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::Value;

use super::super::{DEEPEST, MIDDLE, Reader, is_mostly_one_text};
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
    other: Option<String>,
}

fn read<R: DeserializeOwned>(json: &[u8], levels: usize, items: usize) -> Option<R> {
    let mut reader = Reader::of_received(json, levels, items)?;
    reader.whole(|reader| R::deserialize(reader)).ok()
}

fn long(fill: &str) -> String {
    fill.repeat(MIDDLE)
}

#[track_caller]
fn check<R: DeserializeOwned + PartialEq + Debug>(json: &str) {
    assert!(is_mostly_one_text(json.as_bytes()));
    let expected = serde_json::from_str::<R>(json).ok();
    let is_same = read(json.as_bytes(), DEEPEST, usize::MAX) == expected;
    assert!(is_same, "{}", json.replace(&"QUJD".repeat(16), ""));
}

#[test]
fn an_object_with_a_long_text_is_what_serde_json_reads() {
    let data = long("QUJD");
    for json in [
        format!(r#" {{"count": 3072, "buf-b64": "{data}", "eof": false}}"#),
        format!(r#"{{"count":3072,"buf-b64":"{data}"}}"#),
        format!("{{\"eof\"\t:\ntrue ,\"buf-b64\":\"{data}\",\"count\" : 1}} "),
        format!(r#"{{"count": 1, "what": "is", "buf-b64": "{data}QQ==", "new": null}}"#),
        format!(r#"{{"count": 1, "buf-b64": "{data}", "nested": {{"a": [1]}}}}"#),
        // With escapes.
        format!(r#"{{"count": 1, "buf-b64": "\u0051UJD{data}"}}"#),
        format!(r#"{{"count": 1, "buf-b64": "{data}\n"}}"#),
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
        check::<Read>(&json);
        check::<Value>(&json);
    }
    check::<Texts>(&format!(r#"{{"long": "{}", "other": "é"}}"#, long("é/")));
    check::<Texts>(&format!(r#"{{"long": "{}\n{data}"}}"#, long("é/")));
    check::<Texts>(&format!("{{\"long\": \"{data}\t{data}\"}}"));
    check::<RawObject>(&format!(r#"{{"a": "{}", "b": 1.50}}"#, long("é/")));
}

#[test]
fn what_is_not_utf_8_is_an_error_even_where_nobody_reads_it() {
    let data = long("QUJD");
    let sound = format!(r#"{{"count": 1, "buf-b64": "{data}", "new": "??", "a?": []}}"#);
    assert!(read::<Read>(sound.as_bytes(), DEEPEST, 3).is_none());
    assert!(read::<Read>(sound.as_bytes(), DEEPEST, 4).is_some());
    for (at, _) in sound.match_indices(['?', 'Q', 'c', '1']) {
        let mut json = sound.clone().into_bytes();
        json[at] = 0xC3;
        assert_eq!(read::<Read>(&json, DEEPEST, 4), None);
        assert!(read::<IgnoredAny>(&json, DEEPEST, 4).is_none());
    }
}

#[test]
fn what_nests_deeper_or_has_more_items_than_allowed_is_an_error() {
    let read = |json: &str, levels, items| {
        let value: Option<Value> = read(json.as_bytes(), levels, items);
        let ignored: Option<IgnoredAny> = read(json.as_bytes(), levels, items);
        assert_eq!(value.is_some(), ignored.is_some(), "{json}");
        value.is_some()
    };
    for json in [
        r#"[{"a": []}, 1, [[]]]"#,
        r#"{"a": [{}], "b": 1, "c": [{}]}"#,
    ] {
        assert!(read(json, 3, 3));
        assert!(!read(json, 2, 3));
        assert!(!read(json, 3, 2));
    }
    assert!(read("7", 0, 0));
    assert!(read("{}", 1, 0));
    assert!(!read("[1]", 1, 0));
    let nested = |levels| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    assert!(read(&nested(DEEPEST), usize::MAX, 1));
    assert!(!read(&nested(DEEPEST + 1), usize::MAX, 1));
}
