use std::collections::BTreeSet;

use super::*;

const GREETING: &str = r#"{"QMP": {"version": {"qemu": {"micro": 2, "minor": 0, "major": 10}, "package": ""}, "capabilities": ["oob"]}}"#;
const GRANTED: &str = r#"{"return": {}, "id": 0}"#;

fn text(session: &mut Session) -> String {
    let mut written = String::new();
    loop {
        let next = session.transmit().to_vec();
        if next.is_empty() {
            return written;
        }
        session.transmitted(next.len());
        written.push_str(std::str::from_utf8(&next).unwrap());
    }
}

fn ready() -> Session {
    let mut session = Session::new(Limits::DEFAULT);
    session.received(GREETING.as_bytes());
    text(&mut session);
    session.received(GRANTED.as_bytes());
    assert!(matches!(session.poll(), Some(Told::Ready)));
    session
}

fn submit(session: &mut Session, id: u64, band: Band) {
    session.submit(id, band, format!("<{id}>").into_bytes());
}

fn outcomes(session: &mut Session) -> Vec<String> {
    let mut shown = Vec::new();
    while let Some(told) = session.poll() {
        shown.push(match told {
            Told::Ready => "ready".to_owned(),
            Told::Reply(id, Ok(value)) => format!("{id} returns {value}"),
            Told::Reply(id, Err(error)) => format!("{id} fails: {}", error.desc),
            Told::Failed(id, failure) => format!("{id}: {failure:?}"),
            Told::Event(event) => event.name,
            Told::Missed(count) => format!("{count} missed"),
        });
    }
    shown
}

#[test]
fn nothing_is_sent_before_the_greeting_and_only_the_negotiation_before_the_consent() {
    let mut session = Session::new(Limits::DEFAULT);
    submit(&mut session, 1, Band::In);
    submit(&mut session, 2, Band::Out);
    assert_eq!(text(&mut session), "");
    session.received(GREETING.as_bytes());
    assert_eq!(
        text(&mut session),
        "{\"execute\":\"qmp_capabilities\",\"arguments\":{\"enable\":[\"oob\"]},\"id\":0}\n"
    );
    session.received(b"{\"event\": \"STOP\"}");
    assert_eq!(text(&mut session), "");
    session.received(GRANTED.as_bytes());
    assert_eq!(outcomes(&mut session), ["STOP", "ready"]);
    assert_eq!(text(&mut session), "<2><1>");
}

#[test]
fn out_of_band_is_asked_for_only_where_it_is_offered() {
    let mut session = Session::new(Limits::DEFAULT);
    session.received(br#"{"QMP": {"version": {}, "capabilities": []}}"#);
    assert_eq!(
        text(&mut session),
        "{\"execute\":\"qmp_capabilities\",\"id\":0}\n"
    );
}

#[test]
fn replies_go_to_their_ids_in_any_order_and_each_once() {
    let mut session = ready();
    for id in 1..=3 {
        submit(&mut session, id, Band::In);
    }
    text(&mut session);
    session.received(
        br#"{"return": "c", "id": 3}{"id": 1, "error": {"class": "GenericError", "desc": "no"}}{"return": "again", "id": 3}
        {"return": "nobody's", "id": 9}{"return": "nobody's"}{"return": "b", "id": 2}"#,
    );
    assert_eq!(
        outcomes(&mut session),
        ["3 returns \"c\"", "1 fails: no", "2 returns \"b\""]
    );
}

#[test]
fn a_session_that_was_fed_byte_by_byte_is_no_other() {
    let wire = format!(
        "{GREETING}\r\n{GRANTED}{{\"event\":\"A\"}}\n{{\"return\": {{\"x\": 1}}, \"id\": 1}}{{\"id\":2,\"error\":{{\"class\":\"c\",\"desc\":\"d\"}}}}"
    );
    let mut all = Vec::new();
    for piece in [1, 2, 3, 5, 64, wire.len()] {
        let mut session = Session::new(Limits::DEFAULT);
        submit(&mut session, 1, Band::In);
        submit(&mut session, 2, Band::In);
        let mut told = Vec::new();
        for bytes in wire.as_bytes().chunks(piece) {
            // What a reply is for was written before it comes.
            text(&mut session);
            session.received(bytes);
            told.extend(outcomes(&mut session));
        }
        all.push((piece, told));
    }
    // In one piece, the replies come before anything could have been asked.
    let (_, whole) = all.pop().unwrap();
    assert_eq!(whole, ["ready", "A"]);
    for (piece, told) in all {
        let expected: &[&str] = &["ready", "A", "1 returns {\"x\": 1}", "2 fails: d"];
        if piece < 64 {
            assert_eq!(told, expected, "{piece}");
        }
    }
}

#[test]
fn no_more_than_four_are_on_their_way_and_out_of_band_has_places_of_its_own() {
    let mut session = ready();
    for id in 1..=6 {
        submit(&mut session, id, Band::In);
    }
    assert_eq!(text(&mut session), "<1><2><3><4>");
    submit(&mut session, 7, Band::Out);
    assert_eq!(text(&mut session), "<7>");
    session.received(br#"{"return": {}, "id": 1}"#);
    assert_eq!(text(&mut session), "<5>");
    assert_eq!(session.progress(6), Progress::Queued);
}

#[test]
fn one_that_nobody_waits_for_keeps_its_place_until_it_is_answered() {
    let mut session = ready();
    for id in 1..=5 {
        submit(&mut session, id, Band::In);
    }
    text(&mut session);
    assert_eq!(session.cancel(1), Progress::Written);
    assert_eq!(text(&mut session), "");
    session.received(br#"{"return": {}, "id": 1}"#);
    assert_eq!(outcomes(&mut session), [""; 0]);
    assert_eq!(text(&mut session), "<5>");
}

#[test]
fn one_of_which_nothing_was_written_is_never_sent() {
    let mut session = ready();
    submit(&mut session, 1, Band::In);
    submit(&mut session, 2, Band::In);
    // It was offered, and nothing was taken.
    assert_eq!(session.transmit(), b"<1>");
    assert_eq!(session.cancel(1), Progress::Queued);
    assert_eq!(text(&mut session), "<2>");
}

#[test]
fn one_that_was_written_in_part_is_written_to_its_end() {
    let mut session = ready();
    submit(&mut session, 1, Band::In);
    session.transmit();
    session.transmitted(1);
    assert_eq!(session.cancel(1), Progress::Writing);
    submit(&mut session, 2, Band::In);
    assert_eq!(text(&mut session), "1><2>");
    session.received(br#"{"return": 1, "id": 1}{"return": 2, "id": 2}"#);
    assert_eq!(outcomes(&mut session), ["2 returns 2"]);
}

#[test]
fn a_reply_to_what_was_not_asked_yet_is_nobodys() {
    let mut session = ready();
    submit(&mut session, 1, Band::In);
    session.transmit();
    session.transmitted(1);
    session.received(br#"{"return": "too soon", "id": 1}"#);
    assert_eq!(outcomes(&mut session), [""; 0]);
    text(&mut session);
    session.received(br#"{"return": "now", "id": 1}"#);
    assert_eq!(outcomes(&mut session), ["1 returns \"now\""]);
}

#[test]
fn an_error_without_an_id_ends_all_that_were_asked_and_is_the_error_of_none() {
    let mut session = ready();
    for id in 1..=5 {
        submit(&mut session, id, Band::In);
    }
    text(&mut session);
    session.received(br#"{"error": {"class": "GenericError", "desc": "JSON parse error"}}"#);
    let told = outcomes(&mut session);
    assert_eq!(told.len(), 4);
    assert!(
        told.iter().all(|told| told.contains("Unattributed")),
        "{told:?}"
    );
    assert_eq!(text(&mut session), "<5>");
}

#[test]
fn a_reply_that_is_too_long_fails_its_own_command_alone() {
    let mut session = Session::new(Limits {
        bytes: 100,
        ..Limits::DEFAULT
    });
    session.received(br#"{"QMP": {}}"#);
    text(&mut session);
    session.received(GRANTED.as_bytes());
    submit(&mut session, 1, Band::In);
    submit(&mut session, 2, Band::In);
    text(&mut session);
    let long = format!("{{\"return\": \"{}\", \"id\": 1}}", "x".repeat(200));
    session.received(long.as_bytes());
    session.received(br#"{"return": 2, "id": 2}"#);
    assert_eq!(
        outcomes(&mut session),
        ["ready", "1: TooLong(100)", "2 returns 2"]
    );
}

#[test]
fn an_event_that_is_too_long_counts_as_missed() {
    let mut session = ready();
    let long = format!(
        "{{\"event\": \"X\", \"data\": {{\"a\": \"{}\"}}}}",
        "x".repeat(70_000)
    );
    session.received(long.as_bytes());
    session.received(long.as_bytes());
    session.received(b"{\"event\": \"Y\"}");
    assert_eq!(outcomes(&mut session), ["2 missed", "Y"]);
}

#[test]
fn who_is_refused_is_told_why() {
    for refusal in [
        r#"{"id": 0, "error": {"class": "GenericError", "desc": "not you"}}"#,
        r#"{"error": {"class": "GenericError", "desc": "not you"}}"#,
    ] {
        let mut session = Session::new(Limits::DEFAULT);
        session.received(GREETING.as_bytes());
        text(&mut session);
        session.received(refusal.as_bytes());
        assert!(matches!(session.take_end(), Some(End::Refused(error)) if error.desc == "not you"));
    }
}

#[test]
fn nonsense_ends_the_connection_and_what_comes_after_it_is_not_read() {
    for nonsense in [
        "hello",
        "[]",
        "{\"a\": ]}",
        "{}",
        "{\"return\": 1, \"return\": 2}",
    ] {
        let mut session = ready();
        submit(&mut session, 1, Band::In);
        text(&mut session);
        session.received(format!("{nonsense}{{\"return\": 1, \"id\": 1}}").as_bytes());
        assert_eq!(outcomes(&mut session), [""; 0], "{nonsense}");
        assert!(
            matches!(session.take_end(), Some(End::Malformed(..))),
            "{nonsense}"
        );
    }
}

#[test]
fn a_second_greeting_changes_nothing() {
    let mut session = ready();
    submit(&mut session, 1, Band::In);
    text(&mut session);
    session.received(GREETING.as_bytes());
    session.received(br#"{"return": 1, "id": 1}"#);
    assert_eq!(outcomes(&mut session), ["1 returns 1"]);
    assert_eq!(text(&mut session), "");
}

/// Splitmix64.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from(mixed ^ (mixed >> 31)).unwrap_or_default() % end
    }
}

/// A monitor that answers each request by its id, in bytes that are cut anywhere, with events and lies between the
/// answers, while requests come and go: each that is awaited is answered once, and by its own answer.
#[test]
fn whatever_the_order_each_request_has_its_own_answer_or_none() {
    let answered: usize = (0..2_000).map(sequence).sum();
    assert!(answered > 10_000, "{answered}");
}

fn sequence(seed: u64) -> usize {
    let mut random = Random(seed);
    let mut session = ready();
    let (mut asked, mut answered) = (BTreeSet::new(), 0);
    let (mut requests, mut replies) = (Vec::<u8>::new(), VecDeque::<u8>::new());
    let mut next = 1;
    for _ in 0..120 {
        match random.below(7) {
            0 | 1 => {
                let band = if random.below(3) == 0 {
                    Band::Out
                } else {
                    Band::In
                };
                submit(&mut session, next, band);
                asked.insert(next);
                next += 1;
            }
            2 => {
                let id = 1 + u64::try_from(random.below(60)).unwrap() % next;
                if asked.remove(&id) {
                    session.cancel(id);
                }
            }
            3 | 4 => {
                let offered = session.transmit().to_vec();
                let count = random.below(offered.len() + 1);
                session.transmitted(count);
                requests.extend(&offered[..count]);
                while let Some(end) = requests.iter().position(|byte| *byte == b'>') {
                    let request: Vec<u8> = requests.drain(..=end).collect();
                    let id = std::str::from_utf8(&request[1..end]).unwrap();
                    let other = 1_000_000 + random.below(5);
                    replies.extend(
                        format!(
                            "{{\"event\": \"E\"}} {{\"return\": 0, \"id\": {other}}}\n{{\"return\": {id}, \"id\": {id}}}"
                        )
                        .bytes(),
                    );
                }
            }
            _ => {
                let count = random.below(40).min(replies.len());
                let bytes: Vec<u8> = replies.drain(..count).collect();
                session.received(&bytes);
            }
        }
        while let Some(told) = session.poll() {
            match told {
                Told::Reply(id, Ok(value)) => {
                    assert_eq!(value.get(), id.to_string(), "seed {seed}");
                    assert!(asked.remove(&id), "seed {seed}");
                    answered += 1;
                }
                Told::Event(_) => {}
                told => panic!("seed {seed}: {told:?}"),
            }
        }
        assert!(session.take_end().is_none(), "seed {seed}");
        assert!(session.begun.len() <= IN_BAND_AT_ONCE + OUT_OF_BAND_AT_ONCE);
    }
    answered
}
