//! One promise of the engine at a time; `model` mixes them all.

use std::any::type_name;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::*;
use crate::command::{CommandSpec, Empty};
use crate::error::{AgentError, Malformed};

/// A session, its other side, and a time that is only counted.
struct Wire {
    session: Session,
    now: Instant,
}

fn wire() -> Wire {
    Wire {
        session: Session::bytes(Random::from_seed(1)),
        now: Instant::now(),
    }
}

/// A wire whose agent has answered a sync, with or without its id.
fn synced(with_id: bool) -> Wire {
    let mut wire = wire();
    let budget = wire.budget(10);
    let ticket = wire.session.synchronize(&budget);
    wire.answer_sync(with_id);
    assert!(matches!(wire.event(), Event::Synchronized(told) if told == ticket));
    wire
}

impl Wire {
    fn budget(&self, seconds: u64) -> Budget {
        let timeout = Duration::from_secs(seconds);
        Budget {
            deadline: self.now + timeout,
            timeout,
            is_shared: false,
            reply_millis: None,
            grace: Duration::from_secs(2),
            reply: ReplyLimits::DEFAULT,
            sync: SyncBudget::DEFAULT,
        }
    }

    fn submit(&mut self, name: &str) -> Ticket {
        self.submit_as(&CommandSpec::new(name), 10)
    }

    fn submit_as(&mut self, spec: &CommandSpec<'_>, seconds: u64) -> Ticket {
        let request = Request::new(spec.name(), None::<&()>).unwrap();
        let budget = self.budget(seconds);
        self.session.submit(spec, request, &budget)
    }

    /// Lets the other side take all that is to be written.
    fn written(&mut self) -> String {
        self.settle();
        let bytes = self.session.transmit().to_vec();
        self.session.transmitted(bytes.len());
        let now = self.now;
        self.session.flushed(|| now);
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Lets the other side take so many bytes.
    fn write(&mut self, count: usize) {
        self.settle();
        self.session.transmitted(count);
    }

    fn request(&mut self) -> Value {
        let line = self.written();
        serde_json::from_str(line.trim_start_matches('\u{fffd}')).unwrap()
    }

    fn read(&mut self, bytes: impl AsRef<[u8]>) {
        let mut rest = bytes.as_ref();
        while !rest.is_empty() {
            let spare = self.session.spare();
            let count = spare.len().min(rest.len());
            spare[..count].copy_from_slice(&rest[..count]);
            self.session.received(count);
            rest = &rest[count..];
        }
    }

    fn answer_sync(&mut self, with_id: bool) {
        let sync = self.request();
        let token = &sync["arguments"]["id"];
        let id = if with_id {
            format!(", \"id\": {token}")
        } else {
            String::new()
        };
        self.read(b"\xFF");
        self.read(format!("{{\"return\": {token}{id}}}\n"));
    }

    fn answer(&mut self, ticket: Ticket, value: &str) {
        self.read(format!("{{\"return\": {value}, \"id\": {}}}\n", ticket.0));
    }

    /// Nothing becomes of any request.
    fn settle(&mut self) {
        while let Some(event) = self.session.poll() {
            assert!(matches!(event, Event::Passed), "{event:?}");
        }
    }

    fn event(&mut self) -> Event {
        loop {
            match self.session.poll() {
                Some(Event::Passed) => {}
                Some(event) => return event,
                None => panic!("nothing became of any request"),
            }
        }
    }

    fn failure(&mut self) -> Error {
        match self.event() {
            Event::Failed(_, error) => error,
            event => panic!("{event:?}"),
        }
    }

    fn reply(&mut self) -> Result<Value, Error> {
        match self.event() {
            Event::Reply(ticket) => self.session.reply_as(ticket),
            event => panic!("{event:?}"),
        }
    }

    fn wait(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
        self.session.handle_timeout(self.now);
    }
}

fn shutdown() -> CommandSpec<'static> {
    CommandSpec::new("guest-shutdown").reply(Reply::OnErrorOnly)
}

#[test]
fn a_request_waits_for_the_sync_and_is_answered_by_its_id() {
    let mut wire = wire();
    let ticket = wire.submit("guest-ping");
    wire.answer_sync(true);
    assert_eq!(
        wire.request(),
        json!({"execute": "guest-ping", "id": ticket.0})
    );
    wire.answer(ticket, "{}");
    assert_eq!(wire.reply().unwrap(), json!({}));
    assert!(wire.session.is_synchronized());
    assert_eq!(wire.session.poll_timeout(), None);
}

#[test]
fn without_ids_the_second_request_is_sent_after_the_first_answer() {
    let mut wire = synced(false);
    wire.submit("guest-ping");
    wire.submit("guest-info");
    assert_eq!(wire.request(), json!({"execute": "guest-ping"}));
    wire.read("{\"return\": 1}\n");
    assert_eq!(wire.reply().unwrap(), json!(1));
    assert_eq!(wire.request(), json!({"execute": "guest-info"}));
}

#[test]
fn a_request_of_which_nothing_was_written_has_not_run() {
    let mut wire = synced(true);
    wire.submit("guest-ping");
    wire.settle();
    wire.wait(10);
    let error = wire.failure();
    assert_eq!(
        (error.stage(), error.execution()),
        (Stage::Send, Execution::NotRun)
    );
    assert_eq!(wire.session.transmit(), b"", "it is taken back");
    assert!(wire.session.is_synchronized());
}

#[test]
fn a_request_of_which_a_byte_was_written_may_have_run() {
    let mut wire = synced(true);
    wire.submit("guest-ping");
    wire.write(1);
    wire.wait(10);
    let error = wire.failure();
    assert_eq!(
        (error.stage(), error.execution()),
        (Stage::Send, Execution::MaybeRun)
    );
    let ticket = wire.submit("guest-ping");
    wire.answer_sync(true);
    assert_eq!(wire.request()["id"], ticket.0);
}

#[test]
fn a_cancelled_request_that_waits_behind_another_is_not_sent() {
    let mut wire = synced(true);
    let first = wire.submit("guest-ping");
    let second = wire.submit("guest-info");
    wire.settle();
    wire.write(5);
    assert_eq!(wire.session.cancel(second), Execution::NotRun);
    assert!(wire.written().ends_with(&format!("{}}}\n", first.0)));
    wire.answer(first, "1");
    assert_eq!(wire.reply().unwrap(), json!(1));
    assert!(wire.session.is_synchronized());
}

#[test]
fn what_is_in_flight_is_answered_before_the_handshake_that_is_due() {
    let mut wire = synced(true);
    let first = wire.submit("guest-ping");
    let second = wire.submit("guest-info");
    wire.written();
    assert_eq!(wire.session.cancel(first), Execution::MaybeRun);
    let third = wire.submit("guest-get-time");
    assert_eq!(wire.written(), "", "the second one is still in flight");
    wire.answer(first, "1");
    wire.answer(second, "2");
    assert_eq!(wire.reply().unwrap(), json!(2));
    wire.answer_sync(true);
    assert_eq!(wire.request()["id"], third.0);
}

#[test]
fn an_answer_to_a_later_request_shows_that_those_before_are_lost() {
    let mut wire = synced(true);
    wire.submit("guest-ping");
    let second = wire.submit("guest-info");
    wire.written();
    wire.answer(second, "2");
    let error = wire.failure();
    assert!(matches!(error.kind(), ErrorKind::ReplyLost));
    assert_eq!(error.execution(), Execution::MaybeRun);
    assert_eq!(wire.reply().unwrap(), json!(2));
}

#[test]
fn an_agents_error_to_a_later_request_shows_that_those_before_are_lost() {
    let mut wire = synced(true);
    wire.submit("guest-ping");
    let second = wire.submit("guest-info");
    wire.written();
    let error = r#""error": {"class": "GenericError", "desc": "no"}"#;
    wire.read(format!("{{\"id\": {}, {error}}}\n", second.0));
    assert!(matches!(wire.failure().kind(), ErrorKind::ReplyLost));
    assert_eq!(wire.failure().agent_error().unwrap().desc, "no");
    assert!(wire.session.is_synchronized());
}

#[test]
fn a_line_that_only_looks_like_a_reply_is_malformed() {
    let mut wire = synced(true);
    for payload in [
        "nonsense",
        "1, \"error\": {}",
        "1, \"return\": 2",
        "[1",
        "\"\u{1}\"",
    ] {
        let ticket = wire.submit("guest-ping");
        wire.written();
        wire.answer(ticket, payload);
        let error = wire.reply().unwrap_err();
        assert!(
            matches!(error.kind(), ErrorKind::Malformed { .. }),
            "{payload}: {error}"
        );
        assert_eq!(error.execution(), Execution::MaybeRun);
        wire.submit("guest-ping");
        wire.answer_sync(true);
        wire.session.cancel_all();
    }
}

#[test]
fn a_reply_of_another_shape_leaves_the_channel_synchronized() {
    let mut wire = synced(true);
    let ticket = wire.submit("guest-ping");
    wire.written();
    wire.answer(ticket, "\"text\"");
    let Event::Reply(told) = wire.event() else {
        panic!()
    };
    let error = wire.session.reply_as::<u8>(told).unwrap_err();
    assert_eq!(
        (error.stage(), error.execution()),
        (Stage::Decode, Execution::Answered)
    );
    assert!(wire.session.is_synchronized());
}

#[test]
fn the_empty_object_is_any_type_that_its_text_is_and_no_other() {
    fn is_as_its_text<R: DeserializeOwned + Send + Serialize>() {
        let mut wire = synced(true);
        let ticket = wire.submit("guest-x");
        wire.written();
        wire.answer(ticket, "{}");
        assert!(matches!(wire.event(), Event::Reply(told) if told == ticket));
        let read = wire.session.reply_as::<R>(ticket).ok();
        let expected = serde_json::from_str::<R>("{}").ok();
        assert_eq!(json!(read), json!(expected), "{}", type_name::<R>());
        assert!(wire.session.is_synchronized() && wire.session.poll().is_none());
    }
    #[derive(Deserialize, Serialize)]
    struct Wrapped(Empty);
    #[derive(Deserialize, Serialize)]
    struct Defaulted {
        #[serde(default)]
        number: u8,
        #[serde(flatten)]
        others: BTreeMap<String, Value>,
    }
    #[derive(Deserialize, Serialize)]
    #[serde(untagged)]
    enum Either {
        Wanting { _number: u8 },
        Nothing(Empty),
    }
    is_as_its_text::<Empty>();
    is_as_its_text::<Wrapped>();
    is_as_its_text::<Defaulted>();
    is_as_its_text::<Either>();
    is_as_its_text::<Value>();
    is_as_its_text::<Box<RawValue>>();
    is_as_its_text::<Option<Empty>>();
    is_as_its_text::<BTreeMap<String, u8>>();
    is_as_its_text::<Vec<(String, u8)>>();
    is_as_its_text::<()>();
    is_as_its_text::<NoReply>();
    is_as_its_text::<u8>();
}

#[test]
fn a_success_is_a_success_wherever_it_has_spaces() {
    for (before, between, after) in [
        ("", ", ", " "),
        ("", ",", ""),
        ("", " , ", ""),
        (" ", ",\t", "  "),
    ] {
        let mut wire = synced(true);
        let ticket = wire.submit("guest-x");
        wire.written();
        let id = ticket.0;
        let line = format!("{{{before}\"return\":[1]{between}\"id\":{after}{id}}}\n");
        wire.read(&line);
        assert_eq!(wire.reply().unwrap(), json!([1]), "{line}");
        assert!(wire.session.is_synchronized());
    }
}

#[test]
fn a_reply_that_nobody_decodes_makes_a_handshake_due() {
    let mut wire = synced(true);
    let ticket = wire.submit("guest-ping");
    wire.written();
    wire.answer(ticket, "{}");
    assert!(matches!(wire.event(), Event::Reply(_)));
    assert!(wire.session.poll().is_none());
    assert!(!wire.session.is_synchronized());
    assert_eq!(wire.session.poll_timeout(), None);
}

#[test]
fn a_ticket_that_is_cancelled_between_its_reply_and_its_decoding_has_no_reply() {
    let mut wire = synced(true);
    let ticket = wire.submit("guest-ping");
    let second = wire.submit("guest-info");
    wire.written();
    wire.answer(ticket, "1");
    assert!(matches!(wire.event(), Event::Reply(_)));
    assert_eq!(wire.session.cancel(ticket), Execution::MaybeRun);
    assert!(wire.session.reply_as::<Value>(ticket).is_err());
    wire.answer(second, "2");
    assert_eq!(wire.reply().unwrap(), json!(2));
}

#[test]
fn the_grace_counts_from_the_flush_and_not_from_the_last_byte() {
    let mut wire = synced(true);
    let ticket = wire.submit_as(&shutdown(), 10);
    wire.settle();
    let length = wire.session.transmit().len();
    wire.session.transmitted(length);
    wire.wait(5);
    wire.settle();
    let now = wire.now;
    wire.session.flushed(|| now);
    assert_eq!(
        wire.session.poll_timeout(),
        Some(now + Duration::from_secs(2))
    );
    wire.wait(2);
    assert!(matches!(wire.event(), Event::NoReply(told, NoReply::Silent) if told == ticket));
    assert!(!wire.session.is_synchronized(), "its error may still come");
}

#[test]
fn an_answer_that_was_begun_is_heard_out_until_the_deadline() {
    let mut wire = synced(true);
    wire.submit_as(&shutdown(), 10);
    wire.written();
    wire.read("{\"error");
    wire.settle();
    wire.wait(2);
    wire.settle();
    assert_eq!(
        wire.session.poll_timeout(),
        Some(wire.now + Duration::from_secs(8))
    );
    wire.wait(8);
    assert!(wire.failure().is_timeout());
}

#[test]
fn silence_that_is_shorter_than_the_grace_is_a_timeout() {
    let mut wire = synced(true);
    wire.submit_as(&shutdown(), 1);
    wire.written();
    wire.wait(1);
    let error = wire.failure();
    assert!(error.is_timeout());
    assert_eq!(error.execution(), Execution::MaybeRun);
}

#[test]
fn only_an_end_after_everything_was_written_is_a_clean_one() {
    let ending = |cause: Option<io::Error>, write_error: Option<io::Error>, all: bool| {
        let mut wire = synced(true);
        wire.submit_as(&shutdown(), 10);
        if all {
            wire.written();
        } else {
            wire.write(3);
        }
        if let Some(error) = write_error {
            wire.session.transmit_failed(error);
        }
        wire.session.closed(cause);
        match wire.event() {
            Event::NoReply(_, how) => Ok(how),
            Event::Failed(_, error) => Err((error.is_closed(), error.execution())),
            event => panic!("{event:?}"),
        }
    };
    let reset = || Some(io::Error::from(io::ErrorKind::ConnectionReset));
    assert_eq!(ending(None, None, true), Ok(NoReply::Closed));
    assert_eq!(
        ending(reset(), None, true),
        Err((true, Execution::MaybeRun))
    );
    assert_eq!(ending(None, None, false), Err((true, Execution::MaybeRun)));
    assert_eq!(
        ending(None, reset(), false),
        Err((true, Execution::MaybeRun))
    );
}

#[test]
fn a_channel_that_fails_fails_all_and_each_says_what_is_known() {
    let mut wire = synced(true);
    wire.submit_as(&shutdown(), 10);
    wire.written();
    wire.submit("guest-ping");
    wire.write(1);
    wire.submit("guest-info");
    wire.settle();
    wire.session
        .closed(Some(io::ErrorKind::ConnectionReset.into()));
    let said: Vec<_> = (0..3).map(|_| wire.failure()).collect();
    let executions: Vec<_> = said.iter().map(Error::execution).collect();
    assert_eq!(
        executions,
        [Execution::MaybeRun, Execution::MaybeRun, Execution::NotRun]
    );
    assert!(said.iter().all(Error::is_closed));
    assert!(matches!(said[0].kind(), ErrorKind::Closed(Some(_))));
    wire.submit("guest-ping");
    let error = wire.failure();
    assert_eq!(
        (error.stage(), error.execution()),
        (Stage::Send, Execution::NotRun)
    );
}

#[test]
fn a_request_that_was_not_sent_can_be_had_back_when_the_channel_closes() {
    for synchronized in [true, false] {
        let mut wire = if synchronized { synced(true) } else { wire() };
        wire.submit("guest-ping");
        if synchronized {
            wire.settle();
        } else {
            wire.written();
        }
        wire.session.closed(None);
        assert_eq!(wire.failure().execution(), Execution::NotRun);
        let request = wire.session.take_unsent().unwrap();
        assert_eq!(request.into_message(None), b"{\"execute\":\"guest-ping\"}");
        assert!(wire.session.take_unsent().is_none());
    }
    let mut wire = synced(true);
    wire.submit("guest-ping");
    wire.write(1);
    wire.session.closed(None);
    wire.failure();
    assert!(wire.session.take_unsent().is_none());
}

#[test]
fn a_clean_end_is_hoped_for_behind_a_command_that_it_fails() {
    let mut wire = synced(true);
    wire.submit("guest-ping");
    wire.submit_as(&shutdown(), 10);
    wire.written();
    wire.session.closed(None);
    assert!(wire.failure().is_closed());
    assert!(matches!(wire.event(), Event::NoReply(_, NoReply::Closed)));
}

#[test]
fn a_channel_that_ends_in_the_sync_says_so() {
    let mut wire = wire();
    wire.submit("guest-ping");
    wire.written();
    wire.session.closed(None);
    let error = wire.failure();
    assert_eq!(
        (error.stage(), error.execution()),
        (Stage::Sync, Execution::NotRun)
    );
}

#[test]
fn a_handshake_outlives_the_impatient_request_that_began_it() {
    let mut wire = wire();
    wire.submit_as(&CommandSpec::new("guest-ping"), 1);
    let sync = wire.request();
    wire.now += Duration::from_millis(500);
    wire.session.cancel_all();
    let ticket = wire.submit("guest-ping");
    assert_eq!(wire.written(), "", "the sync is under way");
    let token = &sync["arguments"]["id"];
    wire.read(format!("\n{{\"return\": {token}, \"id\": {token}}}\n"));
    assert_eq!(wire.request()["id"], ticket.0);
}

#[test]
fn a_sync_is_sent_again_after_one_two_and_four_seconds() {
    let mut wire = wire();
    wire.submit_as(&CommandSpec::new("guest-ping"), 60);
    let mut tokens = vec![wire.request()["arguments"]["id"].clone()];
    for seconds in [1, 2, 4] {
        let due = wire.now + Duration::from_secs(seconds);
        assert_eq!(wire.session.poll_timeout(), Some(due));
        wire.wait(seconds);
        tokens.push(wire.request()["arguments"]["id"].clone());
    }
    wire.read(format!("{{\"return\": {0}, \"id\": {0}}}\n", tokens[2]));
    wire.settle();
    assert_eq!(wire.written(), "", "only the latest one counts");
    wire.read(format!("{{\"return\": {0}, \"id\": {0}}}\n", tokens[3]));
    assert_eq!(wire.request()["execute"], "guest-ping");
}

#[test]
fn a_sync_is_not_sent_again_before_its_time() {
    let mut wire = wire();
    wire.submit_as(&CommandSpec::new("guest-ping"), 60);
    wire.written();
    wire.session
        .handle_timeout(wire.now + Duration::from_millis(999));
    wire.settle();
    assert!(!wire.session.wants_write());
    wire.session
        .handle_timeout(wire.now + Duration::from_secs(1));
    wire.settle();
    assert!(wire.session.wants_write());
}

#[test]
fn a_sync_that_nobody_takes_is_not_sent_twice() {
    let mut wire = wire();
    wire.submit_as(&CommandSpec::new("guest-ping"), 60);
    wire.write(5);
    wire.wait(20);
    wire.settle();
    let rest = wire.written();
    assert_eq!(rest.matches("guest-sync").count(), 1, "{rest}");
}

#[test]
fn what_a_sync_brings_about_does_not_count_as_passed_over() {
    let mut wire = wire();
    let request = Request::new("guest-ping", None::<&()>).unwrap();
    let mut budget = wire.budget(10);
    budget.sync = SyncBudget { bytes: 0, lines: 0 };
    wire.session
        .submit(&CommandSpec::new("guest-ping"), request, &budget);
    let sync = wire.request();
    let token = &sync["arguments"]["id"];
    wire.read("{\"error\": {\"class\": \"GenericError\", \"desc\": \"JSON parse error\"}}\n\u{0}");
    wire.settle();
    wire.read(b"\xFF");
    wire.read(format!("{{\"return\": {token}, \"id\": {token}}}\n"));
    assert_eq!(wire.request()["execute"], "guest-ping");
}

const NOT_UNDERSTOOD: &str =
    "{\"error\": {\"class\": \"GenericError\", \"desc\": \"JSON parse error\"}}\n";

#[test]
fn what_each_of_several_syncs_brings_about_does_not_count_as_passed_over() {
    let disabled = json!({"error": {
        "class": "CommandNotFound", "desc": "Command guest-sync-delimited has been disabled"
    }});
    for is_disabled in [true, false] {
        let mut wire = wire();
        let request = Request::new("guest-ping", None::<&()>).unwrap();
        let mut budget = wire.budget(10);
        budget.sync = SyncBudget { bytes: 0, lines: 0 };
        wire.session
            .submit(&CommandSpec::new("guest-ping"), request, &budget);
        wire.written();
        wire.read(NOT_UNDERSTOOD);
        if is_disabled {
            wire.read(format!("{disabled}\n"));
            wire.settle();
        } else {
            wire.settle();
            wire.wait(1);
        }
        let sync = wire.request();
        wire.read(NOT_UNDERSTOOD);
        let token = &sync["arguments"]["id"];
        wire.read(format!("{{\"return\": {token}, \"id\": {token}}}\n"));
        assert_eq!(wire.request()["execute"], "guest-ping", "{is_disabled}");
    }
}

#[test]
fn more_than_may_be_passed_over_ends_the_sync() {
    for old in [
        "{\"return\": 1}\n".repeat(3),
        // One of these is the agent's for our 0xFF.
        "{\"error\": {\"class\": \"E\", \"desc\": \"\"}}\n".repeat(4),
        "x".repeat(2000),
        "\n".repeat(200),
    ] {
        let mut wire = wire();
        let request = Request::new("guest-ping", None::<&()>).unwrap();
        let mut budget = wire.budget(10);
        budget.sync = SyncBudget {
            bytes: 100,
            lines: 2,
        };
        wire.session
            .submit(&CommandSpec::new("guest-ping"), request, &budget);
        wire.written();
        wire.read(&old);
        let error = wire.failure();
        assert!(
            matches!(error.kind(), ErrorKind::TooMuchSkipped { .. }),
            "{error}"
        );
        assert_eq!(
            (error.stage(), error.execution()),
            (Stage::Sync, Execution::NotRun)
        );
    }
}

#[test]
fn as_much_as_may_be_passed_over_does_not_end_the_sync() {
    for (old, budget) in [
        ("{}\n".repeat(2), (1000, 2)),
        ("x".repeat(99) + "\n", (100, 5)),
    ] {
        let mut wire = wire();
        let request = Request::new("guest-ping", None::<&()>).unwrap();
        let (bytes, lines) = budget;
        let sync = SyncBudget { bytes, lines };
        let budget = Budget {
            sync,
            ..wire.budget(10)
        };
        wire.session
            .submit(&CommandSpec::new("guest-ping"), request, &budget);
        let sync = wire.request();
        wire.read(&old);
        wire.settle();
        let token = &sync["arguments"]["id"];
        wire.read(format!("{{\"return\": {token}, \"id\": {token}}}\n"));
        assert_eq!(wire.request()["execute"], "guest-ping", "{old}");
    }
}

#[test]
fn a_line_may_be_as_long_as_the_most_generous_in_flight_allows() {
    let mut wire = synced(true);
    let mut tickets = Vec::new();
    for bytes in [100, 1000, 10] {
        let request = Request::new("guest-ping", None::<&()>).unwrap();
        let mut budget = wire.budget(10);
        budget.reply.bytes = bytes;
        let spec = CommandSpec::new("guest-ping");
        tickets.push(wire.session.submit(&spec, request, &budget));
    }
    wire.written();
    wire.answer(tickets[0], &format!("\"{}\"", "x".repeat(900)));
    assert!(matches!(wire.event(), Event::Reply(told) if told == tickets[0]));
}

#[test]
fn an_agent_with_both_syncs_disabled_refuses_each_request() {
    let mut wire = wire();
    wire.submit("guest-ping");
    for command in ["guest-sync-delimited", "guest-sync"] {
        wire.written();
        let words = format!("Command {command} has been disabled");
        let error = json!({"error": {"class": "CommandNotFound", "desc": words}});
        wire.read(format!("{error}\n"));
        if command == "guest-sync-delimited" {
            wire.settle();
        }
    }
    let error = wire.failure();
    assert!(matches!(error.kind(), ErrorKind::SyncRefused(_)));
    wire.submit("guest-ping");
    assert!(
        wire.written().contains("guest-sync-delimited"),
        "it is asked anew"
    );
}

#[test]
fn what_comes_before_a_request_is_sent_makes_a_handshake_due() {
    for with_id in [true, false] {
        let mut wire = synced(with_id);
        wire.read("{\"return\": \"of another\"}\n");
        wire.submit("guest-ping");
        assert!(wire.written().contains("guest-sync-delimited"));
    }
}

#[test]
fn what_stands_behind_the_answer_to_a_sync_is_no_answer() {
    for with_id in [true, false] {
        let mut wire = wire();
        let ticket = wire.submit("guest-ping");
        let sync = wire.request();
        let token = &sync["arguments"]["id"];
        let id = if with_id {
            format!(", \"id\": {token}")
        } else {
            String::new()
        };
        wire.read(format!(
            "{{\"return\": {token}{id}}}\n{{\"return\": \"old\"}}\n"
        ));
        let request = wire.request();
        assert_eq!(request["execute"], "guest-ping");
        let id = if with_id {
            format!(", \"id\": {}", ticket.0)
        } else {
            String::new()
        };
        wire.read(format!("{{\"return\": \"new\"{id}}}\n"));
        assert_eq!(wire.reply().unwrap(), json!("new"));
    }
}

#[test]
fn all_that_stands_behind_the_answer_to_a_sync_is_passed_over() {
    let mut wire = wire();
    wire.submit("guest-ping");
    let sync = wire.request();
    let token = &sync["arguments"]["id"];
    wire.read(format!("{{\"return\": {token}}}\n{{}}\n{{}}\n"));
    assert_eq!(wire.request()["execute"], "guest-ping");
}

#[test]
fn a_reply_limit_of_a_command_raises_that_of_the_client() {
    let mut wire = synced(true);
    let mut budget = wire.budget(10);
    budget.reply.bytes = 100;
    let long = format!("\"{}\"", "x".repeat(200));
    for (limit, is_read) in [(None, false), (Some(50), false), (Some(300), true)] {
        let mut spec = CommandSpec::new("guest-ping");
        spec.reply_limit = limit;
        let request = Request::new("guest-ping", None::<&()>).unwrap();
        let ticket = wire.session.submit(&spec, request, &budget);
        if !wire.session.is_synchronized() {
            wire.answer_sync(true);
        }
        wire.written();
        wire.answer(ticket, &long);
        if is_read {
            assert!(wire.reply().is_ok());
        } else {
            assert!(matches!(
                wire.failure().kind(),
                ErrorKind::ReplyTooLong(100)
            ));
        }
    }
}

#[test]
fn a_secret_is_in_no_error_of_a_line_that_is_no_reply() {
    let spec = || CommandSpec::new("guest-set-user-password").secret(true);
    let mut wire = synced(true);
    wire.submit_as(&spec(), 10);
    wire.written();
    wire.read("hunter2\n");
    let error = wire.failure();
    assert!(!format!("{error} {error:?}").contains("hunter2"));
    wire.submit_as(&spec(), 10);
    wire.answer_sync(true);
    wire.written();
    wire.read("{\"error\": {\"class\": \"GenericError\", \"desc\": \"stray 'hunter2'\"}}\n");
    let error = wire.failure();
    assert!(matches!(error.kind(), ErrorKind::Unattributed(_)));
    assert!(!format!("{error} {error:?}").contains("hunter2"));
}

#[test]
fn each_request_has_its_own_deadline() {
    let mut wire = synced(true);
    let patient = wire.submit_as(&CommandSpec::new("guest-ping"), 20);
    wire.submit_as(&CommandSpec::new("guest-info"), 5);
    wire.written();
    assert_eq!(
        wire.session.poll_timeout(),
        Some(wire.now + Duration::from_secs(5))
    );
    wire.wait(5);
    assert!(wire.failure().is_timeout());
    wire.answer(patient, "1");
    assert_eq!(wire.reply().unwrap(), json!(1));
    assert!(!wire.session.is_synchronized());
}

#[test]
fn a_deadline_can_be_moved() {
    let mut wire = synced(true);
    let ticket = wire.submit("guest-ping");
    let later = wire.now + Duration::from_secs(60);
    let budget = Budget {
        deadline: later,
        ..wire.budget(60)
    };
    wire.session.set_time(ticket, &budget);
    wire.written();
    assert_eq!(wire.session.poll_timeout(), Some(later));
    wire.wait(10);
    wire.settle();
    wire.wait(50);
    assert!(wire.failure().is_timeout());
}

mod messages {
    use super::*;

    fn wire() -> Wire {
        Wire {
            session: Session::messages(Random::from_seed(1), Some(200)),
            now: Instant::now(),
        }
    }

    fn message(wire: &mut Wire) -> Value {
        wire.settle();
        serde_json::from_slice(&wire.session.take_message().unwrap()).unwrap()
    }

    #[test]
    fn a_message_has_no_sync_and_no_newline_but_an_id() {
        let mut wire = wire();
        assert!(wire.session.is_synchronized());
        let ticket = wire.submit("guest-ping");
        wire.settle();
        let sent = wire.session.take_message().unwrap();
        assert_eq!(
            sent,
            format!("{{\"execute\":\"guest-ping\",\"id\":{}}}", ticket.0).into_bytes()
        );
        assert_eq!(wire.session.take_message(), None);
        wire.session
            .message_received(format!("{{\"return\":{{}},\"id\":{}}}", ticket.0).into_bytes());
        assert_eq!(wire.reply().unwrap(), json!({}));
    }

    #[test]
    fn messages_go_one_at_a_time() {
        let mut wire = wire();
        let first = wire.submit("guest-ping");
        wire.submit("guest-info");
        assert_eq!(message(&mut wire)["id"], first.0);
        wire.settle();
        assert_eq!(wire.session.take_message(), None);
        wire.session
            .message_received(format!("{{\"return\":1,\"id\":{}}}", first.0).into_bytes());
        assert_eq!(wire.reply().unwrap(), json!(1));
        assert_eq!(message(&mut wire)["execute"], "guest-info");
    }

    #[test]
    fn an_answer_with_another_id_is_lost_and_one_without_is_taken() {
        let mut wire = wire();
        wire.submit("guest-ping");
        message(&mut wire);
        wire.session
            .message_received(b"{\"return\":1,\"id\":5}".to_vec());
        let error = wire.failure();
        assert!(matches!(error.kind(), ErrorKind::ReplyLost));
        assert_eq!(error.execution(), Execution::MaybeRun);
        wire.submit("guest-ping");
        message(&mut wire);
        wire.session.message_received(b"{\"return\":2}".to_vec());
        assert_eq!(wire.reply().unwrap(), json!(2));
        wire.submit("guest-ping");
        message(&mut wire);
        let error = b"{\"error\":{\"class\":\"GenericError\",\"desc\":\"no\"}}";
        wire.session.message_received(error.to_vec());
        assert_eq!(wire.failure().agent_error().unwrap().desc, "no");
    }

    #[test]
    fn a_transport_says_whether_the_command_may_have_run() {
        let failed = |error: TransportError, spec: CommandSpec<'_>| {
            let mut wire = wire();
            wire.submit_as(&spec, 10);
            message(&mut wire);
            wire.session.message_failed(error, Vec::new());
            wire.event()
        };
        let ping = || CommandSpec::new("guest-ping");
        let Event::Failed(_, error) = failed(TransportError::timeout(), ping()) else {
            panic!()
        };
        assert!(error.is_timeout() && error.execution() == Execution::MaybeRun);
        let gone = || TransportError::closed(None);
        let not_sent = gone().with_execution(Execution::NotRun);
        let Event::Failed(_, error) = failed(not_sent, ping()) else {
            panic!()
        };
        assert!(error.is_closed() && error.execution() == Execution::NotRun);
        assert_eq!(error.stage(), Stage::Send);
        let agent = AgentError {
            class: "CommandNotFound".into(),
            desc: "no".into(),
        };
        let Event::Failed(_, error) = failed(TransportError::agent(agent), ping()) else {
            panic!()
        };
        assert_eq!(
            (error.stage(), error.execution()),
            (Stage::Receive, Execution::NotRun)
        );
        assert!(matches!(
            failed(gone(), shutdown()),
            Event::NoReply(_, NoReply::Closed)
        ));
        let reset = TransportError::closed(Some(io::ErrorKind::ConnectionReset.into()));
        assert!(matches!(failed(reset, shutdown()), Event::Failed(..)));
        let not_sent = gone().with_execution(Execution::NotRun);
        assert!(matches!(failed(not_sent, shutdown()), Event::Failed(..)));
    }

    #[test]
    fn a_transport_that_has_ended_carries_nothing_more() {
        for cause in [None, Some(io::ErrorKind::BrokenPipe.into())] {
            let mut wire = wire();
            wire.submit("guest-ping");
            wire.submit("guest-info");
            message(&mut wire);
            assert!(!wire.session.is_closed());
            let error = TransportError::closed(cause);
            wire.session.message_failed(error, Vec::new());
            assert_eq!(wire.failure().execution(), Execution::MaybeRun);
            assert!(wire.session.is_closed());
            let error = wire.failure();
            assert!(error.is_closed() && error.execution() == Execution::NotRun);
            assert_eq!(wire.session.take_message(), None);
        }
        let mut wire = wire();
        wire.submit_as(&shutdown(), 10);
        message(&mut wire);
        let error = TransportError::closed(None);
        wire.session.message_failed(error, Vec::new());
        assert!(matches!(wire.event(), Event::NoReply(_, NoReply::Closed)));
        assert!(wire.session.is_closed());
    }

    #[test]
    fn a_request_that_the_transport_cannot_carry_is_not_sent() {
        let mut wire = wire();
        let arguments = json!({"text": "x".repeat(200)});
        let request = Request::new("test-echo", Some(&arguments)).unwrap();
        let budget = wire.budget(10);
        wire.session
            .submit(&CommandSpec::new("test-echo"), request, &budget);
        let next = wire.submit("guest-ping");
        let error = wire.failure();
        assert!(matches!(error.kind(), ErrorKind::RequestTooLong(200)));
        assert_eq!(
            (error.stage(), error.execution()),
            (Stage::Send, Execution::NotRun)
        );
        assert_eq!(message(&mut wire)["id"], next.0);
    }

    #[test]
    fn a_request_and_its_reply_may_be_as_long_as_the_limits() {
        let mut wire = wire();
        let empty = Request::new("test-echo", Some(&json!({"text": ""}))).unwrap();
        let mut budget = wire.budget(10);
        let spec = CommandSpec::new("test-echo");
        wire.session.submit(&spec, empty, &budget);
        wire.settle();
        let text = "x".repeat(200 - wire.session.take_message().unwrap().len());
        wire.session.message_received(b"{\"return\":1}".to_vec());
        wire.reply().unwrap();
        let longest = Request::new("test-echo", Some(&json!({"text": text}))).unwrap();
        budget.reply.bytes = 60;
        let ticket = wire.session.submit(&spec, longest, &budget);
        wire.settle();
        assert_eq!(wire.session.take_message().unwrap().len(), 200);
        let reply = format!("{:60}", format!("{{\"return\":2,\"id\":{}}}", ticket.0));
        wire.session.message_received(reply.into_bytes());
        assert_eq!(wire.reply().unwrap(), json!(2));
    }

    #[test]
    fn a_cancelled_message_leaves_nothing_to_clear_up() {
        let mut wire = wire();
        let ticket = wire.submit("guest-ping");
        message(&mut wire);
        assert_eq!(wire.session.cancel(ticket), Execution::MaybeRun);
        let next = wire.submit("guest-info");
        assert_eq!(message(&mut wire)["id"], next.0);
    }

    #[test]
    fn a_message_that_is_too_long_or_no_reply_is_an_error() {
        let mut wire = wire();
        let mut budget = wire.budget(10);
        budget.reply.bytes = 30;
        let mut fail_with = |answer: &str| {
            let request = Request::new("guest-ping", None::<&()>).unwrap();
            wire.session
                .submit(&CommandSpec::new("guest-ping"), request, &budget);
            message(&mut wire);
            wire.session.message_received(answer.as_bytes().to_vec());
            wire.failure()
        };
        assert!(matches!(
            fail_with(&"x".repeat(31)).kind(),
            ErrorKind::ReplyTooLong(30)
        ));
        let nonsense = fail_with("nonsense");
        let ErrorKind::Malformed { reason, .. } = nonsense.kind() else {
            panic!("{nonsense}")
        };
        assert_eq!(*reason, Malformed::NotJson);
    }
}

#[test]
fn only_what_the_agent_says_of_a_command_is_its_answer() {
    let ticket = Ticket(1);
    let failed = |kind| {
        Event::Failed(
            ticket,
            Error::new(Stage::Receive, Execution::MaybeRun, kind),
        )
    };
    let error = AgentError {
        class: "GenericError".into(),
        desc: "no".into(),
    };
    for answer in [
        Event::Reply(ticket),
        Event::NoReply(ticket, NoReply::Replied),
        failed(ErrorKind::Agent(error.clone())),
    ] {
        assert!(answer.is_answer(), "{answer:?}");
    }
    for other in [
        Event::NoReply(ticket, NoReply::Closed),
        Event::NoReply(ticket, NoReply::Silent),
        Event::Synchronized(ticket),
        Event::Passed,
        failed(ErrorKind::Closed(None)),
        failed(ErrorKind::Unattributed(error)),
    ] {
        assert!(!other.is_answer(), "{other:?}");
    }
}

#[test]
fn nothing_is_begun_once_the_deadline_that_commands_share_has_passed() {
    let wire = wire();
    let own = wire.budget(10);
    let shared = Budget {
        is_shared: true,
        ..own
    };
    let (start, at) = (own.start(), own.deadline);
    shared.check(|| start).unwrap();
    own.check(|| at).unwrap();
    let error = shared.check(|| at).unwrap_err();
    assert_eq!(
        (error.stage(), error.execution()),
        (Stage::Queue, Execution::NotRun)
    );
    assert!(error.is_deadline());
}

#[test]
fn handshakes_are_counted() {
    let mut wire = wire();
    for count in 1..4 {
        let budget = wire.budget(10);
        wire.session.forget_sync();
        wire.session.synchronize(&budget);
        wire.answer_sync(true);
        assert!(matches!(wire.event(), Event::Synchronized(_)));
        assert_eq!(wire.session.handshakes(), count);
    }
}

#[test]
fn who_says_something_unasked_is_talking() {
    let mut wire = synced(true);
    assert!(!wire.session.is_talking());
    wire.read("{");
    assert!(wire.session.is_talking());
}

#[test]
fn the_length_of_the_last_reply_is_told() {
    let mut wire = synced(true);
    let ticket = wire.submit("guest-ping");
    wire.written();
    let line = format!("{{\"return\": \"twelve\", \"id\": {}}}", ticket.0);
    wire.read(&line);
    wire.read("\n");
    assert_eq!(wire.reply().unwrap(), "twelve");
    assert_eq!(wire.session.reply_length(), line.len());
}

#[test]
fn a_channel_that_takes_nothing_more_ends_with_the_reason() {
    let mut wire = synced(true);
    wire.submit("guest-ping");
    assert!(!wire.session.is_broken());
    wire.session
        .transmit_failed(io::ErrorKind::BrokenPipe.into());
    assert!(wire.session.is_broken());
    wire.session.closed(None);
    let error = wire.failure();
    let ErrorKind::Closed(Some(cause)) = error.kind() else {
        panic!("{error:?}");
    };
    assert_eq!(cause.kind(), io::ErrorKind::BrokenPipe);
}

#[test]
fn buffers_are_handed_over_once_nothing_is_in_them() {
    let mut wire = synced(true);
    drop(wire.session.reclaim());
    wire.session.lend(|| Vec::with_capacity(50_000));
    let ticket = wire.submit("guest-ping");
    wire.written();
    let line = wire.session.reclaim_line().unwrap();
    assert!(line.is_empty() && line.capacity() > 0);
    wire.read("{\"ret");
    assert!(wire.session.reclaim().is_none());
    wire.read(format!("urn\": {{}}, \"id\": {}}}\n", ticket.0));
    wire.reply().unwrap();
    assert!(
        wire.session
            .reclaim()
            .is_some_and(|buffer| buffer.capacity() >= 50_000)
    );
    assert!(
        wire.session
            .reclaim_line()
            .is_none_or(|buffer| buffer.is_empty())
    );
}

#[test]
fn a_flood_is_told_with_the_bytes_of_its_last_line_too() {
    let mut wire = wire();
    let budget = Budget {
        sync: SyncBudget {
            bytes: 2000,
            lines: 10,
        },
        ..wire.budget(10)
    };
    wire.session.synchronize(&budget);
    wire.written();
    wire.read([b'x'; 999]);
    wire.read("\n");
    wire.settle();
    wire.read([b'y'; 1500]);
    let error = wire.failure();
    let ErrorKind::TooMuchSkipped { bytes, lines } = error.kind() else {
        panic!("{error:?}");
    };
    assert_eq!((*bytes, *lines), (2500, 1));
}

#[test]
fn limits_are_what_their_docs_say_unless_set() {
    let limits = ReplyLimits::DEFAULT;
    assert_eq!(
        (limits.bytes, limits.depth, limits.items),
        (10_485_760, 100, 100_000)
    );
    let sync = SyncBudget::DEFAULT;
    assert_eq!((sync.bytes, sync.lines), (4_294_967_296, 4_000_000));
}

#[test]
fn a_line_that_is_too_long_for_an_answer_to_a_sync_is_none() {
    let mut wire = wire();
    let budget = wire.budget(10);
    wire.session.synchronize(&budget);
    let sync = wire.request();
    let token = &sync["arguments"]["id"];
    let padding = " ".repeat(5000);
    wire.read(b"\xFF");
    wire.read(format!(
        "{{\"return\": {token},{padding}\"id\": {token}}}\n"
    ));
    wire.settle();
    assert!(!wire.session.is_synchronized());
}
