use super::*;

fn request(name: &str, arguments: &serde_json::Value) -> serde_json::Result<Request> {
    Request::new(
        name,
        Some(arguments).filter(|arguments| !arguments.is_null()),
    )
}

fn payload(line: &str) -> String {
    let reply = ReplyLine::parse(line.as_bytes(), &ReplyLimits::DEFAULT).unwrap();
    reply.result.unwrap().get().to_owned()
}

fn mistake(line: impl AsRef<[u8]>) -> Malformed {
    ReplyLine::parse(line.as_ref(), &ReplyLimits::DEFAULT).unwrap_err()
}

#[test]
fn a_request_ends_in_its_id() {
    let request = || request("guest-\"x\"", &serde_json::json!({"a": 1})).unwrap();
    assert_eq!(
        request().into_message(Some(&IdText::new(7))),
        b"{\"execute\":\"guest-\\\"x\\\"\",\"arguments\":{\"a\":1},\"id\":7}"
    );
    assert_eq!(
        request().into_message(None),
        b"{\"execute\":\"guest-\\\"x\\\"\",\"arguments\":{\"a\":1}}"
    );
}

#[test]
fn a_line_that_was_not_sent_can_be_a_request_again() {
    let request = || request("guest-ping", &serde_json::json!({"a": 1})).unwrap();
    for id in [None, Some(IdText::new(0)), Some(IdText::new(u64::MAX))] {
        let mut line = request().into_message(id.as_ref());
        line.push(b'\n');
        let again = Request::from_bytes(line, id.as_ref());
        let id = IdText::new(5);
        assert_eq!(
            again.into_message(Some(&id)),
            request().into_message(Some(&id))
        );
    }
    for short in [&b""[..], b"\n", b"}", b"{\"a\""] {
        Request::from_bytes(short.to_vec(), Some(&IdText::new(7)));
    }
}

#[test]
fn null_arguments_are_left_out() {
    let request = request("guest-ping", &serde_json::Value::Null).unwrap();
    assert_eq!(request.into_message(None), b"{\"execute\":\"guest-ping\"}");
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
    let reply = ReplyLine::parse(line, &ReplyLimits::DEFAULT).unwrap();
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
        match ReplyLine::parse(line.as_bytes(), &ReplyLimits::DEFAULT) {
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
        let reply = ReplyLine::parse(line.as_bytes(), &ReplyLimits::DEFAULT).unwrap();
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
    assert!(
        ReplyLine::parse(
            nested(ReplyLimits::DEFAULT.depth - 1).as_bytes(),
            &ReplyLimits::DEFAULT
        )
        .is_ok()
    );
    assert_eq!(
        mistake(nested(ReplyLimits::DEFAULT.depth)),
        Malformed::TooDeep
    );
    assert_eq!(mistake(nested(100_000)), Malformed::TooDeep);
    assert_eq!(mistake("[".repeat(1_000_000)), Malformed::TooDeep);
    let text = format!("{{\"return\": \"\\\"{}\"}}", "[".repeat(1000));
    assert!(ReplyLine::parse(text.as_bytes(), &ReplyLimits::DEFAULT).is_ok());
    let wide = format!("{{\"return\": [{}{{}}]}}", "{},".repeat(1000));
    assert!(ReplyLine::parse(wide.as_bytes(), &ReplyLimits::DEFAULT).is_ok());
}

#[test]
fn a_value_at_the_depth_limit_still_decodes() {
    let depth = ReplyLimits::DEFAULT.depth - 1;
    let line = format!("{{\"return\": {}{}}}", "[".repeat(depth), "]".repeat(depth));
    assert!(serde_json::from_str::<serde_json::Value>(&payload(&line)).is_ok());
}

#[test]
fn a_reply_glued_to_a_torn_one_is_found() {
    let tail = |line: &'static str| {
        ReplyLine::parse_tail(line.as_bytes(), &ReplyLimits::DEFAULT).map(|reply| reply.id)
    };
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
fn the_text_of_an_id_is_its_digits() {
    for id in [0, 7, 10, 1 << 53, u64::MAX] {
        assert_eq!(IdText::new(id).digits(), id.to_string().as_bytes());
    }
}

#[test]
fn a_success_that_is_spelt_as_usual_is_split_without_parsing() {
    let split = |line: &'static str, id| {
        let place = split_success(line.as_bytes(), &IdText::new(id))?;
        Some(line[place].trim())
    };
    assert_eq!(split(r#"{"return": {}, "id": 7}"#, 7), Some("{}"));
    assert_eq!(split(r#"{"return":[1,2],"id":0}"#, 0), Some("[1,2]"));
    let longest = r#"{"return": "}", "id": 18446744073709551615}"#;
    assert_eq!(split(longest, u64::MAX), Some(r#""}""#));
    for other in [
        r#"{"id": 7, "return": {}}"#,
        r#"{"return": {}}"#,
        r#"{"return": {}, "id": "7"}"#,
        r#"{"return": {}, "id": -7}"#,
        r#"{"return": {}, "id": 17}"#,
        r#"{"return": {}, "id": 07}"#,
        r#"{"return": {} "id": 7}"#,
        r#"{"return": {}, "id": }"#,
        r#"{"error": {}, "id": 7}"#,
        "",
        "{",
        r#"{"return":"id":7}"#,
    ] {
        assert_eq!(split(other, 7), None, "{other}");
    }
}

#[test]
fn debug_shows_neither_arguments_nor_what_was_returned() {
    let request = request("guest-x", &serde_json::json!({"password": "horse"})).unwrap();
    let line = br#"{"return": "horse", "id": 7}"#;
    let reply = ReplyLine::parse(line, &ReplyLimits::DEFAULT).unwrap();
    let shown = format!("{request:?} {reply:?}");
    let expected =
        "Request { json: <53 bytes> } ReplyLine { id: Number(7), result: Ok(<7 bytes>) }";
    assert_eq!(shown, expected);
}

#[test]
fn an_error_with_half_a_character_in_its_words_is_an_error_all_the_same() {
    let line = br#"{"error": {"class": "GenericError", "desc": "no file '\udcff'"}, "id": 7}"#;
    let reply = ReplyLine::parse(line, &ReplyLimits::DEFAULT).unwrap();
    assert_eq!(reply.result.unwrap_err().desc, "no file '\u{FFFD}'");
}

#[test]
fn the_length_of_a_request_is_told_without_its_id() {
    let request = Request::new("guest-ping", None::<&()>).unwrap();
    assert_eq!(request.length(), "{\"execute\":\"guest-ping\"".len());
}
