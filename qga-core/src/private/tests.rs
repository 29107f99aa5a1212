use super::{ArgumentList, Bytes, Serialize, is_none};
use serde::ser::{Error, SerializeMap, Serializer};
use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;
use std::sync::Arc;

fn json(value: impl Serialize) -> String {
    serde_json::to_string(&value).unwrap()
}

fn base64<T: Bytes + ?Sized>(value: &T) -> String {
    json(ArgumentList::new().with_base64("buf", value))
}

#[test]
fn arguments_are_written_in_the_order_they_were_given() {
    let list = ArgumentList::new()
        .with("path", "/etc/hosts")
        .with("mode", &Some("r"))
        .with_base64("buf-b64", b"AA");
    assert_eq!(
        json(list),
        r#"{"path":"/etc/hosts","mode":"r","buf-b64":"QUE="}"#
    );
}

#[test]
fn no_arguments_are_an_empty_map() {
    assert_eq!(json(ArgumentList::new()), "{}");
}

#[test]
fn an_argument_that_is_none_is_left_out() {
    let list = ArgumentList::new()
        .with("before", &1)
        .with("none", &None::<u8>)
        .with_base64("no-bytes", &None::<Vec<u8>>)
        .with("after", &2);
    assert_eq!(json(list), r#"{"before":1,"after":2}"#);
}

#[test]
fn an_argument_that_fails_to_serialize_fails_the_list() {
    struct Broken;
    impl Serialize for Broken {
        fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(S::Error::custom("broken"))
        }
    }
    let list = ArgumentList::new()
        .with("broken", &Broken)
        .with("after", &1);
    assert_eq!(
        serde_json::to_string(&list).unwrap_err().to_string(),
        "broken"
    );
}

#[test]
fn none_is_seen_through_some_and_newtypes_and_references() {
    #[derive(Serialize)]
    struct Newtype(Option<u8>);
    #[derive(Serialize)]
    #[serde(transparent)]
    struct Transparent {
        inner: Option<u8>,
    }
    assert!(is_none(&None::<u8>));
    assert!(is_none(&Some(None::<u8>)));
    assert!(is_none(&Newtype(None)));
    assert!(is_none(&Transparent { inner: None }));
    assert!(is_none(&&Box::new(None::<u8>)));
    assert!(!is_none(&Some(0)));
    assert!(!is_none(&Newtype(Some(0))));
    assert!(!is_none(&Transparent { inner: Some(0) }));
}

#[test]
fn what_is_merely_empty_is_not_none() {
    #[derive(Serialize)]
    struct Unit;
    #[derive(Serialize)]
    struct Tuple(Option<u8>, Option<u8>);
    #[derive(Serialize)]
    struct Named {
        field: Option<u8>,
    }
    #[derive(Serialize)]
    enum Variant {
        Unit,
        Newtype(Option<u8>),
        Tuple(Option<u8>, Option<u8>),
        Named { field: Option<u8> },
    }
    assert!(!is_none(&()));
    assert!(!is_none(&Unit));
    assert!(!is_none(&false));
    assert!(!is_none(&0));
    assert!(!is_none(&0.0));
    assert!(!is_none(&'\0'));
    assert!(!is_none(""));
    assert!(!is_none(&Vec::<u8>::new()));
    assert!(!is_none(&(None::<u8>, None::<u8>)));
    assert!(!is_none(&std::collections::BTreeMap::<u8, u8>::new()));
    assert!(!is_none(&Tuple(None, None)));
    assert!(!is_none(&Named { field: None }));
    assert!(!is_none(&Variant::Unit));
    assert!(!is_none(&Variant::Newtype(None)));
    assert!(!is_none(&Variant::Tuple(None, None)));
    assert!(!is_none(&Variant::Named { field: None }));
    assert!(!is_none(&serde_json::Value::Null));
}

#[test]
fn asking_for_none_serializes_nothing_else() {
    struct Watched<'a>(&'a Cell<u32>);
    impl Serialize for Watched<'_> {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let mut map = serializer.serialize_map(None)?;
            self.0.set(self.0.get() + 1);
            map.serialize_entry("key", "value")?;
            map.end()
        }
    }
    struct Text<'a>(&'a Cell<u32>);
    impl fmt::Display for Text<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            self.0.set(self.0.get() + 1);
            f.write_str("text")
        }
    }
    impl Serialize for Text<'_> {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.collect_str(self)
        }
    }
    let written = Cell::new(0);
    let (map, text) = (Watched(&written), Text(&written));
    let list = ArgumentList::new().with("map", &map).with("text", &text);
    assert_eq!(json(list), r#"{"map":{"key":"value"},"text":"text"}"#);
    assert_eq!(written.get(), 2);
}

#[test]
fn base64_is_standard_and_padded() {
    assert_eq!(
        base64(&[0xfb_u8, 0xff, 0xfe, 0x01]),
        r#"{"buf":"+//+AQ=="}"#
    );
    assert_eq!(base64(&[] as &[u8]), r#"{"buf":""}"#);
}

#[test]
fn base64_takes_all_that_holds_bytes_or_text() {
    let sent = r#"{"buf":"cWdh"}"#;
    assert_eq!(base64(b"qga"), sent);
    assert_eq!(base64(&b"qga"[..]), sent);
    assert_eq!(base64("qga"), sent);
    assert_eq!(base64(&"qga"), sent);
    assert_eq!(base64(&b"qga".to_vec()), sent);
    assert_eq!(base64(&"qga".to_owned()), sent);
    assert_eq!(base64(&Box::<[u8]>::from(*b"qga")), sent);
    assert_eq!(base64(&Arc::<[u8]>::from(*b"qga")), sent);
    assert_eq!(base64(&Arc::new(b"qga".to_vec())), sent);
    assert_eq!(base64(&Cow::Borrowed(&b"qga"[..])), sent);
    assert_eq!(base64(&Cow::<str>::Owned("qga".to_owned())), sent);
    assert_eq!(base64(&Some(b"qga")), sent);
    assert_eq!(base64(&None::<&[u8]>), "{}");
}
