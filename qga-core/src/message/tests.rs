use super::*;

fn payload(line: &str) -> String {
    let reply = Reply::parse(line.as_bytes()).unwrap();
    reply.result.unwrap().get().to_owned()
}

fn mistake(line: impl AsRef<[u8]>) -> Malformed {
    Reply::parse(line.as_ref()).unwrap_err()
}

#[test]
fn a_request_ends_in_its_id_and_a_newline() {
    let request = || Request::raw("guest-\"x\"", &serde_json::json!({"a": 1})).unwrap();
    assert_eq!(
        request().into_line(Some(7)),
        b"{\"execute\":\"guest-\\\"x\\\"\",\"arguments\":{\"a\":1},\"id\":7}\n"
    );
    assert_eq!(
        request().into_line(None),
        b"{\"execute\":\"guest-\\\"x\\\"\",\"arguments\":{\"a\":1}}\n"
    );
}

#[test]
fn null_arguments_are_left_out() {
    let request = Request::raw("guest-ping", &serde_json::Value::Null).unwrap();
    assert_eq!(request.into_line(None), b"{\"execute\":\"guest-ping\"}\n");
}

#[test]
fn a_returned_null_is_a_value() {
    assert_eq!(payload(r#"{"return": null}"#), "null");
}

#[test]
fn unknown_members_and_any_order_are_fine() {
    assert_eq!(
        payload(r#" {"x": [1], "id": 3, "return": {"a": 1}}"#),
        r#"{"a": 1}"#
    );
}

#[test]
fn an_error_keeps_its_class_and_words() {
    let line = br#"{"id": 5, "error": {"class": "Odd", "desc": "no \u201Cluck\u201D", "data": 1}}"#;
    let reply = Reply::parse(line).unwrap();
    let error = reply.result.unwrap_err();
    assert_eq!(reply.id, Id::Number(5));
    assert_eq!(
        (&*error.class, &*error.desc),
        ("Odd", "no \u{201c}luck\u{201d}")
    );
}

#[test]
fn an_id_that_is_no_natural_number_is_foreign() {
    for id in [
        "null",
        "-1",
        "1.5",
        "\"7\"",
        "[]",
        "18446744073709551616",
        "1e400",
        "1e-400",
        "inf",
    ] {
        let line = format!("{{\"return\": {{}}, \"id\": {id}}}");
        match Reply::parse(line.as_bytes()) {
            Ok(reply) => assert_eq!(reply.id, Id::Foreign, "{id}"),
            Err(mistake) => assert_eq!((id, mistake), ("inf", Malformed::NotJson)),
        }
    }
}

#[test]
fn an_id_is_the_same_number_however_it_is_spelt() {
    let largest = "1.8446744073709551615e19";
    for (id, expected) in [("7.0", 7), ("7e0", 7), ("1.5E+1", 15), (largest, u64::MAX)] {
        let line = format!("{{\"return\": {{}}, \"id\": {id}}}");
        let reply = Reply::parse(line.as_bytes()).unwrap();
        assert_eq!(reply.id, Id::Number(expected), "{id}");
    }
}

#[test]
fn each_way_to_be_no_reply_is_told_apart() {
    assert_eq!(mistake(b"{\"return\": \"\xFE\"}"), Malformed::NotUtf8);
    assert_eq!(mistake("garbage"), Malformed::NotJson);
    assert_eq!(mistake("{\"return\": {}"), Malformed::NotJson);
    assert_eq!(mistake("{\"return\": {}} x"), Malformed::NotJson);
    assert_eq!(mistake("[1, 2, 3]"), Malformed::NotAnObject);
    assert_eq!(mistake("null"), Malformed::NotAnObject);
    assert_eq!(mistake("{}"), Malformed::NoReturnOrError);
    assert_eq!(mistake("{\"id\": 1}"), Malformed::NoReturnOrError);
    assert_eq!(
        mistake(r#"{"return": 1, "error": {"class": "a", "desc": "b"}}"#),
        Malformed::ReturnAndError
    );
    assert_eq!(
        mistake(r#"{"return": 1, "return": 2}"#),
        Malformed::DuplicateMember
    );
    assert_eq!(mistake(r#"{"error": {"class": "a"}}"#), Malformed::BadError);
    assert_eq!(mistake(r#"{"error": null}"#), Malformed::BadError);
}

#[test]
fn nesting_is_bounded_and_brackets_in_strings_do_not_count() {
    let nested =
        |depth: usize| format!("{{\"return\": {}{}}}", "[".repeat(depth), "]".repeat(depth));
    assert!(Reply::parse(nested(DEPTH_LIMIT - 1).as_bytes()).is_ok());
    assert_eq!(mistake(nested(DEPTH_LIMIT)), Malformed::TooDeep);
    assert_eq!(mistake(nested(100_000)), Malformed::TooDeep);
    assert_eq!(mistake("[".repeat(1_000_000)), Malformed::TooDeep);
    let text = format!("{{\"return\": \"\\\"{}\"}}", "[".repeat(1000));
    assert!(Reply::parse(text.as_bytes()).is_ok());
    let wide = format!("{{\"return\": [{}{{}}]}}", "{},".repeat(1000));
    assert!(Reply::parse(wide.as_bytes()).is_ok());
}

#[test]
fn a_value_at_the_depth_limit_still_decodes() {
    let depth = DEPTH_LIMIT - 1;
    let line = format!("{{\"return\": {}{}}}", "[".repeat(depth), "]".repeat(depth));
    assert!(serde_json::from_str::<serde_json::Value>(&payload(&line)).is_ok());
}

#[test]
fn a_reply_glued_to_a_torn_one_is_found() {
    let tail = |line: &'static str| Reply::parse_tail(line.as_bytes()).map(|reply| reply.id);
    assert_eq!(tail(r#"AAAA{"return": {}, "id": 7}"#), Some(Id::Number(7)));
    assert_eq!(
        tail(r#"{"return": {"buf-b64": "QUJD{"return": {"a": {}}, "id": 7}"#),
        Some(Id::Number(7))
    );
    assert_eq!(
        tail(r#"AA{"id": 8, "error": {"class": "a", "desc": "b"}}"#),
        Some(Id::Number(8))
    );
    assert_eq!(tail("AAAA"), None);
    assert_eq!(tail(r#"AAAA{"return": "#), None);
    assert_eq!(tail(r#"{"return": {}}"#), None);
}

#[test]
fn debug_shows_neither_arguments_nor_what_was_returned() {
    let request = Request::raw("guest-x", &serde_json::json!({"password": "horse"})).unwrap();
    let reply = Reply::parse(br#"{"return": "horse", "id": 7}"#).unwrap();
    let shown = format!("{request:?} {reply:?}");
    let expected = "Request { json: <53 bytes> } Reply { id: Number(7), result: Ok(<7 bytes>) }";
    assert_eq!(shown, expected);
}
