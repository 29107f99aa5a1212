//! Commands that are sent again, and those that are not.

use std::thread;

use crate::support::{BRIEF, PATIENT, Place, STRAY, accept, both, reply, synced_pair};
use qga_core::blocking::Client;
use qga_core::{CommandSpec, Error, Execution, Options, QgaCommand, RetryClass};
use serde_json::{Value, json};

#[derive(QgaCommand)]
#[qga(name = "test-ask", response = Value, retry = Safe)]
struct Ask;

#[derive(QgaCommand)]
#[qga(name = "test-set", response = Value, retry = AfterResync)]
struct Set;

#[derive(QgaCommand)]
#[qga(name = "test-do", response = Value, check = "what test-ask says")]
struct Do;

/// Runs a command against an agent that closes the channel at the first `closes` requests and answers the next.
/// Says how many requests came.
fn against_closes(
    run: impl FnOnce(Client) -> Result<Value, Error>,
    options: Options,
    closes: u32,
) -> (Result<Value, Error>, u32) {
    let place = Place::new();
    let listener = place.listen();
    let client = Client::builder().options(options).connect_lazy(&place.path);
    let client = client.unwrap();
    let path = place.path.clone();
    let agent = thread::spawn(move || {
        let mut requests = 0;
        loop {
            let mut peer = accept(&listener);
            let Some(sync) = peer.next_request() else {
                return requests;
            };
            peer.send(b"\xFF");
            peer.send(reply(&sync, &sync["arguments"]["id"]));
            let request = peer.request();
            requests += 1;
            if requests > closes {
                peer.send(reply(&request, &json!(7)));
                assert!(peer.next_request().is_none());
            }
        }
    });
    let result = run(client);
    drop(std::os::unix::net::UnixStream::connect(path).unwrap());
    (result, agent.join().unwrap())
}

#[test]
fn a_command_is_sent_again_if_its_class_and_the_options_allow_it() {
    let with = |class| PATIENT.retry(class);
    let (answer, sent) = against_closes(|client| client.execute(Ask), PATIENT, 2);
    assert_eq!((answer.unwrap(), sent), (json!(7), 3));
    let resync = with(RetryClass::AfterResync);
    let (answer, sent) = against_closes(|client| client.execute(Set), resync, 1);
    assert_eq!((answer.unwrap(), sent), (json!(7), 2));
    let spec = CommandSpec::new("test-ask").retry(RetryClass::Safe);
    let raw = |client: Client| client.execute_raw(spec, Value::Null);
    let (answer, sent) = against_closes(raw, PATIENT, 1);
    assert_eq!((answer.unwrap(), sent), (json!(7), 2));
    let sent_once = [
        against_closes(|client| client.execute(Ask), with(RetryClass::Never), 1),
        against_closes(|client| client.execute(Set), PATIENT, 1),
        against_closes(|client| client.execute(Do), PATIENT, 1),
        against_closes(|client| client.execute(Do), resync, 1),
        against_closes(|client| client.execute_raw("x", Value::Null), resync, 1),
    ];
    for (answer, sent) in sent_once {
        let error = answer.unwrap_err();
        assert!(error.is_closed(), "{error:?}");
        assert_eq!((error.execution(), sent), (Execution::MaybeRun, 1));
    }
}

#[test]
fn a_command_is_sent_three_times_at_most_however_long_it_waits() {
    for options in [PATIENT, PATIENT.wait_for_channel(true)] {
        let (answer, sent) = against_closes(|client| client.execute(Ask), options, 100);
        let error = answer.unwrap_err();
        assert!(error.is_closed(), "{error:?}");
        assert_eq!((error.execution(), sent), (Execution::MaybeRun, 3));
    }
}

#[test]
fn a_broken_reply_is_asked_for_again_after_a_sync() {
    for broken in ["{\"return\": 1, \"i\n", STRAY] {
        let (client, mut peer) = synced_pair();
        let script = || {
            peer.request();
            peer.send(broken);
            peer.sync();
            peer.answer(json!(8));
        };
        assert_eq!(both(|| client.execute(Ask), script).0.unwrap(), 8);
    }
}

#[test]
fn after_a_timeout_nothing_is_sent_again() {
    let (client, mut peer) = synced_pair();
    let brief = client.with_options(BRIEF);
    let (answer, _) = both(|| brief.execute(Ask), || peer.request());
    assert!(answer.unwrap_err().is_timeout());
    assert!(peer.hears_nothing());
}

#[test]
fn what_may_have_run_before_is_not_forgotten_and_the_error_says_what_to_check() {
    let (client, mut peer) = synced_pair();
    let brief = client.with_options(BRIEF);
    let script = || {
        peer.request();
        peer.send("broken\n");
        // The sync stays unanswered.
        peer.request();
    };
    let (answer, ()) = both(|| brief.execute(Ask), script);
    let error = answer.unwrap_err();
    assert_eq!(error.execution(), Execution::MaybeRun, "{error:?}");
    let (answer, sent) = against_closes(|client| client.execute(Do), PATIENT, 1);
    assert_eq!(sent, 1);
    assert_eq!(answer.unwrap_err().check(), Some("what test-ask says"));
}

#[test]
fn a_command_that_was_not_sent_goes_out_through_the_new_channel() {
    let place = Place::new();
    let listener = place.listen();
    let client = Client::builder().options(PATIENT).connect_lazy(&place.path);
    let client = client.unwrap();
    let script = || {
        let mut peer = accept(&listener);
        peer.sync();
        peer.answer(json!(1));
        peer
    };
    let (answer, peer) = both(|| client.execute(Do), script);
    assert_eq!(answer.unwrap(), 1);
    // At once: no time has passed in which the client might look.
    drop(peer);
    let script = || {
        let mut peer = accept(&listener);
        peer.sync();
        peer.answer(json!(2));
    };
    let (answer, ()) = both(|| client.execute(Do), script);
    assert_eq!(answer.unwrap(), 2);
}

#[test]
fn a_hold_between_two_tries_is_kept() {
    let (client, mut peer) = synced_pair();
    let script = || {
        peer.request();
        let hold = client.hold("busy", |_| false);
        peer.send("broken\n");
        hold
    };
    let (answer, _hold) = both(|| client.execute(Ask), script);
    let error = answer.unwrap_err();
    assert!(error.is_bad_reply(), "{error:?}");
    assert_eq!(error.execution(), Execution::MaybeRun);
    assert!(peer.hears_nothing());
}
