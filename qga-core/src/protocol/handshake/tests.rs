use super::*;

fn frame(text: &str) -> Frame<'_> {
    Frame {
        bytes: text.as_bytes(),
        delimited: true,
    }
}

fn random() -> Random {
    Random::from_seed(1)
}

fn refusal(command: &str, id: &str) -> String {
    format!(
        r#"{{{id}"error": {{"class": "CommandNotFound", "desc": "Command {command} has been disabled"}}}}"#
    )
}

#[test]
fn a_request_resets_the_parser_and_carries_the_token_twice() {
    let handshake = Handshake::new(&mut random());
    let token = handshake.token;
    let json = format!(
        "{{\"execute\":\"guest-sync-delimited\",\"arguments\":{{\"id\":{token}}},\"id\":{token}}}\n"
    );
    assert_eq!(handshake.request(), [b"\xFF", json.as_bytes()].concat());
}

#[test]
fn tokens_differ_and_are_exact_in_a_double() {
    let mut random = random();
    let tokens: std::collections::HashSet<u64> = (0..100).map(|_| random.token()).collect();
    assert_eq!(tokens.len(), 100);
    assert!(tokens.iter().all(|token| (1..1 << 53).contains(token)));
}

#[test]
fn only_the_latest_token_ends_the_handshake() {
    let mut handshake = Handshake::new(&mut random());
    let old = format!(r#"{{"return": {}}}"#, handshake.token);
    handshake.renew(&mut Random::from_seed(2));
    assert_eq!(
        handshake.receive(frame(&old), &mut Random::from_seed(3)),
        Step::Wait
    );
    let new = format!(r#"{{"return": {}}}"#, handshake.token);
    assert_eq!(
        handshake.receive(frame(&new), &mut Random::from_seed(3)),
        Step::Synced(Ids::Unknown)
    );
}

#[test]
fn an_agent_that_echoes_ids_is_known_by_the_sync() {
    let mut handshake = Handshake::new(&mut random());
    let token = handshake.token;
    let reply = format!(r#"{{"return": {token}, "id": {token}}}"#);
    assert_eq!(
        handshake.receive(frame(&reply), &mut Random::from_seed(3)),
        Step::Synced(Ids::Echoed)
    );
}

#[test]
fn a_token_in_what_is_no_reply_does_not_end_the_handshake() {
    let mut handshake = Handshake::new(&mut random());
    let token = handshake.token;
    for reply in [
        format!("{{\"return\": {token}, \"return\": {token}, \"id\": {token}}}"),
        format!("{{\"return\":\u{c}{token}, \"id\": {token}}}"),
        format!("{{\"return\": +{token}, \"id\": {token}}}"),
        format!("{{\"return\": 0{token}, \"id\": {token}}}"),
        format!("{{\"return\": \"{token}\", \"id\": {token}}}"),
        format!("{{\"return\": {token}}}, \"id\": {token}}}"),
    ] {
        let step = handshake.receive(frame(&reply), &mut random());
        assert_eq!(step, Step::Wait, "{reply}");
    }
}

#[test]
fn a_token_is_the_same_number_however_it_is_spelt() {
    let mut handshake = Handshake::new(&mut random());
    let (token, tenth) = (handshake.token, handshake.token * 10);
    for spelt in [format!("{token}.0"), format!("{tenth}e-1")] {
        let reply = format!(r#"{{"return": {spelt}, "id": {spelt}}}"#);
        let step = handshake.receive(frame(&reply), &mut random());
        assert_eq!(step, Step::Synced(Ids::Echoed), "{spelt}");
    }
    let reply = format!(r#"{{"return": {token}.5}}"#);
    assert_eq!(handshake.receive(frame(&reply), &mut random()), Step::Wait);
}

#[test]
fn a_reply_with_the_token_and_another_id_does_not_turn_ids_off() {
    let mut handshake = Handshake::new(&mut random());
    let token = handshake.token;
    for id in ["5", "\"x\"", "null", "[]"] {
        let reply = format!(r#"{{"return": {token}, "id": {id}}}"#);
        assert_eq!(
            handshake.receive(frame(&reply), &mut Random::from_seed(3)),
            Step::Wait,
            "{id}"
        );
    }
}

#[test]
fn old_replies_and_errors_are_passed_over() {
    let mut handshake = Handshake::new(&mut random());
    for old in [r#"{"return": {}}"#, r#"{"return": 111}"#, "torn", ""] {
        assert_eq!(
            handshake.receive(frame(old), &mut Random::from_seed(3)),
            Step::Wait,
            "{old}"
        );
    }
    let foreign = refusal("guest-sync-delimited", r#""id": 1, "#);
    assert_eq!(
        handshake.receive(frame(&foreign), &mut Random::from_seed(3)),
        Step::Wait
    );
    let stray =
        r#"{"error": {"class": "GenericError", "desc": "JSON parse error, stray '\uFFFD'"}}"#;
    for nobodys in [stray, &refusal("guest-exec", "")] {
        let step = handshake.receive(frame(nobodys), &mut Random::from_seed(3));
        assert_eq!(step, Step::Stray, "{nobodys}");
    }
}

#[test]
fn without_the_delimited_sync_the_plain_one_is_tried() {
    let mut handshake = Handshake::new(&mut random());
    let refused = refusal("guest-sync-delimited", "");
    assert_eq!(
        handshake.receive(frame(&refused), &mut Random::from_seed(3)),
        Step::Resend
    );
    assert!(
        handshake
            .request()
            .starts_with(b"\xFF{\"execute\":\"guest-sync\",")
    );
    assert_eq!(
        handshake.receive(frame(&refused), &mut Random::from_seed(3)),
        Step::Stray
    );
    let refused = refusal("guest-sync", "");
    assert!(matches!(
        handshake.receive(frame(&refused), &mut Random::from_seed(3)),
        Step::Refused(_)
    ));
}

#[test]
fn an_agent_that_takes_offence_at_the_id_is_asked_without() {
    let mut handshake = Handshake::new(&mut random());
    let offended =
        r#"{"error": {"class": "GenericError", "desc": "QMP input member 'id' is unexpected"}}"#;
    assert_eq!(
        handshake.receive(frame(offended), &mut Random::from_seed(3)),
        Step::Resend
    );
    assert!(!handshake.request().ends_with(b"},\"id\":}\n"));
    let token = handshake.token;
    assert!(
        handshake
            .request()
            .ends_with(format!(":{{\"id\":{token}}}}}\n").as_bytes())
    );
}

/// As agents of other makers, and QEMU's before 4.2, refuse a command.
const REFUSALS: [(&str, &str); 5] = [
    (
        "GenericError",
        "The command guest-sync-delimited has been disabled for this instance",
    ),
    ("GenericError", "unknown command: guest-sync-delimited"),
    ("CommandNotFound", "guest-sync-delimited"),
    ("InternalError", "command not found"),
    ("CommandNotFound", "no"),
];

#[test]
fn a_refusal_of_the_delimited_sync_is_known_by_its_class_and_its_words() {
    for (class, desc) in REFUSALS {
        for id in [false, true] {
            let mut handshake = Handshake::new(&mut random());
            let error = error_line(class, desc, id.then_some(handshake.token));
            let step = handshake.receive(frame(&error), &mut Random::from_seed(3));
            assert_eq!(step, Step::Resend, "{class} {desc}");
            let plain = b"\xFF{\"execute\":\"guest-sync\",";
            assert!(handshake.request().starts_with(plain));
            // The refusal of an earlier request of the same kind is none of the plain sync.
            let error = error_line(class, desc, None);
            let step = handshake.receive(frame(&error), &mut Random::from_seed(4));
            assert_eq!(step, Step::Stray, "{class} {desc}");
        }
    }
}

#[test]
fn an_error_that_carries_the_token_is_about_the_sync_whatever_it_says() {
    let mut handshake = Handshake::new(&mut random());
    for wanted in ["resend", "refused"] {
        let error = error_line("GenericError", "it broke", Some(handshake.token));
        match handshake.receive(frame(&error), &mut Random::from_seed(3)) {
            Step::Resend => assert_eq!(wanted, "resend"),
            Step::Refused(error) => {
                assert_eq!((wanted, &*error.desc), ("refused", "it broke"));
            }
            step => panic!("{step:?}"),
        }
    }
}

fn error_line(class: &str, desc: &str, id: Option<u64>) -> String {
    let id = id.map_or(String::new(), |id| format!("\"id\": {id}, "));
    format!(r#"{{{id}"error": {{"class": "{class}", "desc": "{desc}"}}}}"#)
}
