use std::collections::BTreeMap;

use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use super::write_arguments;
use crate::__private::ArgumentList;
use crate::base64;

fn written(arguments: &impl Serialize) -> String {
    let mut to = b"before ".to_vec();
    write_arguments(&mut to, arguments).unwrap();
    String::from_utf8(to).unwrap().split_off("before ".len())
}

/// As a user's own type may have it.
#[derive(Serialize)]
struct Content(#[serde(with = "base64")] Vec<u8>);

#[test]
fn arguments_are_as_serde_json_writes_them() {
    let bytes: Vec<u8> = (0..=255).cycle().take(10_000).collect();
    for length in [0, 1, 2, 3, 4, 5, 47, 48, 49, 3071, 3072, 3073, 10_000] {
        let bytes = &bytes[..length];
        let some = Some(Content(bytes.to_vec()));
        let nested = json!({"list": [1, 2.5, null], "text": "\u{1}\u{e9}"});
        let list = ArgumentList::new()
            .with("a \"quote\"", &-1)
            .with("none", &None::<u8>)
            .with_base64("bytes", bytes)
            .with("some", &some)
            .with("nested", &nested)
            .with_base64("last", &Some("text"));
        assert_eq!(written(&list), serde_json::to_string(&list).unwrap());
    }
}

#[test]
fn arguments_that_are_no_map_are_written_all_the_same() {
    #[derive(Serialize)]
    struct Fields {
        a: u8,
        b: Content,
    }
    let fields = Fields {
        a: 1,
        b: Content(b"hi".to_vec()),
    };
    assert_eq!(written(&fields), r#"{"a":1,"b":"aGk="}"#);
    for value in [
        json!({}),
        json!([1, {"a": 2}]),
        json!("text"),
        json!(7),
        Value::Null,
    ] {
        assert_eq!(written(&value), value.to_string());
    }
    let raw = serde_json::value::RawValue::from_string(r#"{"a": 1}"#.into()).unwrap();
    assert_eq!(written(&raw), r#"{"a": 1}"#);
    assert_eq!(written(&Some(7)), "7");
}

#[test]
fn keys_that_are_no_texts_are_written_as_texts_or_refused() {
    assert_eq!(
        written(&BTreeMap::from([(1, 2), (3, 4)])),
        r#"{"1":2,"3":4}"#
    );
    let lists = BTreeMap::from([(vec![1], 2)]);
    write_arguments(&mut Vec::new(), &lists).unwrap_err();
}

#[test]
fn a_value_that_says_what_is_wrong_is_heard() {
    struct Broken;
    impl Serialize for Broken {
        fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("it is broken"))
        }
    }
    let list = ArgumentList::new().with("broken", &Broken);
    let error = write_arguments(&mut Vec::new(), &list).unwrap_err();
    assert_eq!(error.to_string(), "it is broken");
}

#[test]
fn what_writes_bytes_where_nobody_reads_is_not_taken_for_base64() {
    struct TwoFaced;
    impl Serialize for TwoFaced {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            if serializer.is_human_readable() {
                serializer.serialize_str("text")
            } else {
                serializer.serialize_bytes(b"bytes")
            }
        }
    }
    let list = ArgumentList::new().with("it", &TwoFaced);
    assert_eq!(written(&list), r#"{"it":"text"}"#);
}

#[test]
fn what_follows_base64_finds_room_in_the_same_buffer() {
    let mut to = Vec::new();
    write_arguments(
        &mut to,
        &ArgumentList::new().with_base64("b", &vec![0; 999_999]),
    )
    .unwrap();
    assert!(to.capacity() - to.len() >= 30);
}
