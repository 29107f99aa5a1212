use serde_json::json;

use super::*;

const NUMBERS: &str = r#"{"type":"x","a":28888888888888888888888888888888888888888880,"b":1e999,"c":0.10000000000000000001,"d":-0.0,"e":[1E3, {"f": 1.10}],"c":1}"#;

fn object(json: &str) -> RawObject {
    serde_json::from_str(json).unwrap()
}

#[test]
fn what_is_read_is_written_again_digit_by_digit() {
    let read = object(NUMBERS);
    let written = serde_json::to_string(&read).unwrap();
    assert_eq!(written, NUMBERS);
    assert_eq!(object(&written), read);
}

#[test]
fn members_are_looked_up_and_decoded() {
    let mut object = object(r#"{"a": 1e3, "b": {"c": [true, 0.50]}, "n": null}"#);
    assert_eq!(object.get("b"), Some(r#"{"c": [true, 0.50]}"#));
    assert_eq!(object.get("c"), None);
    let value = object.decode::<Value>().unwrap();
    assert_eq!(
        value,
        json!({"a": 1000.0, "b": {"c": [true, 0.5]}, "n": null})
    );
    assert_eq!(object.take_optional::<i64>("x").unwrap(), None);
    assert_eq!(object.take_optional::<i64>("n").unwrap(), None);
    assert_eq!(object.take::<i64>("a").unwrap(), 1000);
    let left = [("b", r#"{"c": [true, 0.50]}"#)];
    assert_eq!(object.iter().collect::<Vec<_>>(), left);
}

#[test]
fn an_error_tells_where_in_the_object_it_is() {
    type Lists = std::collections::HashMap<String, Vec<String>>;
    let mut object = object(r#"{"a": [7], "b": {"c": "x"}, "d": 5}"#);
    let message = |error: JsonError| error.to_string();
    let cases = [
        (
            message(object.decode::<Lists>().unwrap_err()),
            "`a[0]`: invalid type: integer `7`, expected a string",
        ),
        (
            message(object.take::<Vec<String>>("a").unwrap_err()),
            "`a[0]`: invalid type: integer `7`, expected a string",
        ),
        (
            message(
                object
                    .take_optional::<std::collections::HashMap<String, u8>>("b")
                    .unwrap_err(),
            ),
            "`b.c`: invalid type: string \"x\", expected u8",
        ),
        (
            message(object.text("d").unwrap_err()),
            "`d`: invalid type: integer `5`, expected a string",
        ),
        (message(object.text("e").unwrap_err()), "missing field `e`"),
        (
            message(object.decode::<Vec<u8>>().unwrap_err()),
            "invalid type: map, expected a sequence",
        ),
    ];
    for (message, expected) in cases {
        assert_eq!(message, expected);
    }
}

#[test]
fn what_is_no_object_is_an_error() {
    for json in ["7", "[]", "null", "\"x\"", "{\"a\": }", "{"] {
        assert!(serde_json::from_str::<RawObject>(json).is_err(), "{json}");
    }
}

#[test]
fn a_value_and_what_serde_buffers_can_be_read_too() {
    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(untagged)]
    enum Untagged {
        List(Vec<RawObject>),
        Other(String),
    }
    #[derive(Deserialize)]
    struct Outer {
        #[serde(flatten)]
        all: RawObject,
    }
    let value = json!({"a": [1.5, null], "b": "x"});
    let from_value: RawObject = serde_json::from_value(value.clone()).unwrap();
    assert_eq!(from_value.get("a"), Some("[1.5,null]"));
    let list: Untagged = serde_json::from_str(&format!("[{value}]")).unwrap();
    assert_eq!(list, Untagged::List(vec![from_value.clone()]));
    let outer: Outer = serde_json::from_str(&value.to_string()).unwrap();
    assert_eq!(outer.all, from_value);
    assert_eq!(serde_json::to_value(&outer.all).unwrap(), value);
}

#[test]
fn debug_shows_the_members_escaped_and_cut() {
    let evil = format!(
        r#"{{"a\u001b": "{}\u001b[2J", "b": 1.50}}"#,
        "x".repeat(10_000)
    );
    let shown = format!("{:?}", object(&evil));
    assert!(
        shown.len() < 500 && !shown.contains(char::is_control),
        "{shown}"
    );
    assert!(shown.ends_with(r#""b": 1.50}"#), "{shown}");
}
