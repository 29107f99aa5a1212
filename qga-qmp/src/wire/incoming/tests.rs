use super::*;

#[test]
fn a_greeting_is_one_whatever_it_says() {
    let full = br#"{"QMP": {"version": {"qemu": {"micro": 22, "minor": 2, "major": 7}, "package": "Acme 1"}, "capabilities": ["oob"]}}"#;
    let Ok(Incoming::Greeting(greeting)) = Incoming::read(full) else {
        panic!("no greeting");
    };
    let version = &greeting.version;
    assert_eq!((version.major, version.minor, version.micro), (7, 2, 22));
    assert_eq!(version.package, "Acme 1");
    assert!(greeting.has_oob);
    for odd in [
        r#"{"QMP": {}}"#,
        r#"{"QMP": null}"#,
        r#"{"QMP": {"capabilities": ["events", 7]}}"#,
        r#"{"QMP": {"version": 3, "capabilities": ["oob"]}}"#,
    ] {
        let Ok(Incoming::Greeting(greeting)) = Incoming::read(odd.as_bytes()) else {
            panic!("no greeting: {odd}");
        };
        assert!(!greeting.has_oob);
        assert_eq!(greeting.version, Version::default());
    }
}

#[test]
fn an_event_has_its_time_where_it_can_be_read() {
    for (json, micros) in [
        (
            r#"{"timestamp": {"seconds": 2, "microseconds": 5}, "event": "STOP"}"#,
            Some(2_000_005),
        ),
        (
            r#"{"timestamp": {"seconds": -1, "microseconds": -1}, "event": "STOP"}"#,
            None,
        ),
        (
            r#"{"timestamp": {"seconds": 18446744073709551615, "microseconds": 0}, "event": "STOP"}"#,
            None,
        ),
        (r#"{"event": "STOP"}"#, None),
    ] {
        let Ok(Incoming::Event(event)) = Incoming::read(json.as_bytes()) else {
            panic!("no event: {json}");
        };
        assert_eq!(event.name, "STOP");
        assert_eq!(event.micros, micros, "{json}");
    }
}

#[test]
fn the_id_of_a_reply_is_a_number_or_none_of_ours() {
    for (json, expected) in [
        (r#"{"return": {}, "id": 7}"#, Id::Number(7)),
        (r#"{"return": null}"#, Id::Absent),
        (r#"{"return": {}, "id": null}"#, Id::Foreign),
        (r#"{"return": {}, "id": "7"}"#, Id::Foreign),
        (r#"{"return": {}, "id": 7.0}"#, Id::Foreign),
        (r#"{"return": {}, "id": -7}"#, Id::Foreign),
        (
            r#"{"id": 3, "error": {"class": "GenericError", "desc": "no"}}"#,
            Id::Number(3),
        ),
    ] {
        let Ok(Incoming::Reply { id, .. }) = Incoming::read(json.as_bytes()) else {
            panic!("no reply: {json}");
        };
        assert_eq!(id, expected, "{json}");
    }
}

#[test]
fn what_a_monitor_never_sends_is_refused_and_says_why() {
    for (json, reason) in [
        (&b"{}"[..], Malformed::NoReturnOrError),
        (br#"{"event": 7}"#, Malformed::NoReturnOrError),
        (br#"{"return": 1, "error": {}}"#, Malformed::ReturnAndError),
        (br#"{"error": {"class": "x"}}"#, Malformed::BadError),
        (br#"{"return": 1, "return": 2}"#, Malformed::DuplicateMember),
        (br#"{"return": ]}"#, Malformed::NotJson),
        (b"{\"return\": \"\xFF\"}", Malformed::NotUtf8),
    ] {
        assert_eq!(Incoming::read(json).unwrap_err(), reason, "{json:?}");
    }
}
