use std::ops::Range;

use super::*;

struct Sent(Range<u64>);

impl InFlight for Sent {
    fn first(&self) -> Option<u64> {
        Some(self.0.start)
    }

    fn contains(&self, id: u64) -> bool {
        self.0.contains(&id)
    }
}

fn matched(line: &str, ids: Ids) -> String {
    let frame = Frame {
        bytes: line.as_bytes(),
        delimited: false,
    };
    match attribute(frame, ids, &Sent(10..13), &ReplyLimits::DEFAULT) {
        Match::Answer(id, Ok(value)) => format!("{id} returned {value}"),
        Match::Answer(id, Err(_)) => format!("{id} failed"),
        Match::Stale => "stale".into(),
        Match::Unattributed(_) => "unattributed".into(),
        Match::Malformed(_) => "malformed".into(),
    }
}

#[test]
fn a_reply_goes_to_the_request_with_its_id() {
    let echoed = |line| matched(line, Ids::Echoed);
    assert_eq!(echoed(r#"{"return": 1, "id": 10}"#), "10 returned 1");
    assert_eq!(echoed(r#"{"return": 1, "id": 12}"#), "12 returned 1");
    assert_eq!(
        echoed(r#"{"id": 11, "error": {"class": "a", "desc": "b"}}"#),
        "11 failed"
    );
}

#[test]
fn a_reply_with_another_id_or_none_is_stale_where_ids_are_echoed() {
    for line in [
        r#"{"return": 1, "id": 9}"#,
        r#"{"return": 1, "id": 13}"#,
        r#"{"return": 1, "id": "10"}"#,
        r#"{"return": 1}"#,
        r#"{"id": 9, "error": {"class": "a", "desc": "b"}}"#,
    ] {
        assert_eq!(matched(line, Ids::Echoed), "stale", "{line}");
    }
}

#[test]
fn an_error_without_an_id_belongs_to_nobody_where_ids_are_echoed() {
    let line = r#"{"error": {"class": "GenericError", "desc": "JSON parse error"}}"#;
    assert_eq!(matched(line, Ids::Echoed), "unattributed");
}

#[test]
fn without_ids_a_reply_goes_to_the_oldest_request() {
    let unknown = |line| matched(line, Ids::Unknown);
    assert_eq!(unknown(r#"{"return": 1}"#), "10 returned 1");
    assert_eq!(
        unknown(r#"{"error": {"class": "a", "desc": "b"}}"#),
        "10 failed"
    );
    assert_eq!(unknown(r#"{"return": 1, "id": 10}"#), "stale");
}

#[test]
fn without_ids_a_late_sync_reply_answers_nothing() {
    let frame = Frame {
        bytes: br#"{"return": 5}"#,
        delimited: true,
    };
    assert!(matches!(
        attribute(frame, Ids::Unknown, &Sent(10..11), &ReplyLimits::DEFAULT),
        Match::Stale
    ));
}

#[test]
fn a_reply_glued_to_a_torn_one_counts_only_with_an_id_in_flight() {
    assert_eq!(
        matched(r#"AA{"return": 1, "id": 11}"#, Ids::Echoed),
        "11 returned 1"
    );
    assert_eq!(
        matched(r#"AA{"return": 1, "id": 9}"#, Ids::Echoed),
        "malformed"
    );
    assert_eq!(matched(r#"AA{"return": 1}"#, Ids::Echoed), "malformed");
    assert_eq!(matched(r#"AA{"return": 1}"#, Ids::Unknown), "malformed");
}
