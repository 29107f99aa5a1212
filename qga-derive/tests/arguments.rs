//! What a command's fields become on the wire.

use qga_core::QgaCommand;
use serde::Serialize;
use std::borrow::Cow;
use std::marker::PhantomData;
use std::sync::Arc;

#[track_caller]
fn assert_sent(command: &impl QgaCommand, json: &str) {
    let sent = command.arguments().map(|list| serde_json::to_string(&list));
    assert_eq!(sent.transpose().ok().flatten().as_deref(), Some(json));
}

#[test]
fn a_command_without_fields_has_no_arguments() {
    #[derive(QgaCommand)]
    #[qga(name = "guest-ping")]
    struct Unit;

    #[derive(QgaCommand)]
    #[qga(name = "guest-ping")]
    struct Braces {}

    #[derive(QgaCommand)]
    #[qga(name = "guest-ping")]
    struct AllSkipped {
        #[qga(skip)]
        _note: &'static str,
    }

    assert!(Unit.arguments().is_none());
    assert!(Braces {}.arguments().is_none());
    assert!(AllSkipped { _note: "for us" }.arguments().is_none());
}

#[test]
fn fields_are_sent_in_their_order_under_their_wire_names() {
    #[derive(QgaCommand)]
    #[qga(name = "guest-exec")]
    struct Exec {
        path: &'static str,
        capture_output: bool,
        r#type: u8,
        #[qga(rename = "input_data.x-Y")]
        input: u8,
    }

    let command = Exec {
        path: "/bin/true",
        capture_output: true,
        r#type: 1,
        input: 2,
    };
    assert_sent(
        &command,
        r#"{"path":"/bin/true","capture-output":true,"type":1,"input_data.x-Y":2}"#,
    );
}

#[test]
fn a_skipped_field_is_not_sent_and_need_not_serialize() {
    struct NotSerialize;

    #[derive(QgaCommand)]
    #[qga(name = "guest-file-close")]
    struct FileClose {
        handle: i64,
        #[qga(skip)]
        _lease: NotSerialize,
    }

    let command = FileClose {
        handle: 7,
        _lease: NotSerialize,
    };
    assert_sent(&command, r#"{"handle":7}"#);
}

#[test]
fn a_field_that_is_none_is_left_out_whatever_its_type_is_called() {
    type Maybe<T> = Option<T>;

    #[derive(Clone, Copy, Serialize)]
    struct Wrapped(Option<u8>);

    #[derive(QgaCommand)]
    #[qga(name = "guest-file-open")]
    struct FileOpen<T> {
        plain: Option<u8>,
        alias: Maybe<u8>,
        generic: T,
        newtype: Wrapped,
        nested: Option<Wrapped>,
        boxed: Box<Option<u8>>,
    }

    let open = |plain, nested| FileOpen {
        plain,
        alias: plain,
        generic: plain,
        newtype: Wrapped(plain),
        nested,
        boxed: Box::new(plain),
    };
    assert_sent(&open(None, None), "{}");
    assert_sent(&open(None, Some(Wrapped(None))), "{}");
    assert_sent(
        &open(Some(0), Some(Wrapped(Some(0)))),
        r#"{"plain":0,"alias":0,"generic":0,"newtype":0,"nested":0,"boxed":0}"#,
    );
}

#[test]
fn a_field_that_is_false_or_zero_or_empty_is_sent() {
    #[derive(QgaCommand)]
    #[qga(name = "guest-exec")]
    struct Exec {
        capture: bool,
        count: u8,
        path: String,
        arg: Vec<String>,
    }

    let command = Exec {
        capture: false,
        count: 0,
        path: String::new(),
        arg: Vec::new(),
    };
    assert_sent(
        &command,
        r#"{"capture":false,"count":0,"path":"","arg":[]}"#,
    );
}

#[test]
fn base64_fields_are_encoded_and_left_out_if_none() {
    #[derive(QgaCommand)]
    #[qga(name = "guest-file-write")]
    struct FileWrite<'a> {
        #[qga(base64)]
        owned: Vec<u8>,
        #[qga(base64, rename = "buf-b64")]
        borrowed: &'a [u8],
        #[qga(base64)]
        text: String,
        #[qga(base64)]
        shared: Arc<[u8]>,
        #[qga(base64)]
        cow: Cow<'a, [u8]>,
        #[qga(base64)]
        array: [u8; 2],
        #[qga(base64)]
        absent: Option<&'a str>,
    }

    let command = FileWrite {
        owned: vec![0xfb, 0xff],
        borrowed: b"",
        text: "text".to_owned(),
        shared: Arc::from(*b"shared"),
        cow: Cow::Borrowed(b"cow"),
        array: [0, 0],
        absent: None,
    };
    assert_sent(
        &command,
        r#"{"owned":"+/8=","buf-b64":"","text":"dGV4dA==","shared":"c2hhcmVk","cow":"Y293","array":"AAA="}"#,
    );
}

#[test]
fn a_command_may_borrow_its_arguments() {
    #[derive(QgaCommand)]
    #[qga(name = "guest-exec")]
    struct Exec<'a, 'b> {
        path: &'a str,
        arg: &'a [&'b str],
        input: Option<&'b str>,
    }

    let path = String::from("/bin/echo");
    let command = Exec {
        path: &path,
        arg: &["a", "b"],
        input: None,
    };
    assert_sent(&command, r#"{"path":"/bin/echo","arg":["a","b"]}"#);
    assert_sent(&&command, r#"{"path":"/bin/echo","arg":["a","b"]}"#);
}

#[test]
fn generics_get_the_bounds_they_need() {
    trait Mode {
        type Name;
    }

    struct Read;

    impl Mode for Read {
        type Name = &'static str;
    }

    #[derive(QgaCommand)]
    #[qga(name = "guest-file-open", response = Vec<R>)]
    struct FileOpen<'a, M: Mode, R, B, T = Option<u8>, const N: usize = 2>
    where
        M: 'a,
    {
        mode: M::Name,
        qualified: Option<<M as Mode>::Name>,
        list: &'a [T],
        #[qga(base64)]
        bytes: B,
        #[qga(base64)]
        array: [u8; N],
        #[qga(skip)]
        _response: PhantomData<fn() -> R>,
    }

    let command: FileOpen<'_, Read, String, _> = FileOpen {
        mode: "r",
        qualified: None,
        list: &[Some(1), None],
        bytes: "AA",
        array: *b"AA",
        _response: PhantomData,
    };
    assert_sent(
        &command,
        r#"{"mode":"r","list":[1,null],"bytes":"QUE=","array":"QUE="}"#,
    );
}
