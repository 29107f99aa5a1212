//! What is refused on the host: by what the client was made to allow, and while it is held.

use std::sync::mpsc;
use std::thread::{self, sleep};
use std::time::Duration;

use crate::support::{BRIEF, Ping, both, echo, pair_with, synced_pair};
use qga_core::{Error, Execution};
use serde_json::{Value, json};

fn assert_not_sent(error: &Error, reason: &str) {
    assert!(error.is_not_allowed(), "{error:?}");
    assert_eq!(error.execution(), Execution::NotRun);
    assert!(error.to_string().contains(reason), "{error}");
}

#[test]
fn a_denied_command_is_never_sent_by_any_way() {
    let (client, mut peer) = pair_with(|builder| builder.deny(["guest-exec", "test-echo"]));
    assert_not_sent(&client.execute(echo(1)).unwrap_err(), "made to deny it");
    let by_name = client.execute_raw("guest-exec", json!({"path": "id"}));
    assert_not_sent(&by_name.unwrap_err(), "guest-exec: not sent");
    let results: Vec<_> = client.pipeline([echo(1), echo(2)]).collect();
    assert_eq!(results.len(), 2);
    for result in results {
        assert_not_sent(&result.unwrap_err(), "test-echo: not sent");
    }
    assert!(client.execute(echo(1)).unwrap_err().is_permanent());
    assert!(peer.hears_nothing());
}

#[test]
fn only_allowed_commands_are_sent_and_denying_wins() {
    let (client, mut peer) = pair_with(|builder| {
        let builder = builder.allow(["guest-ping"]).allow(["test-echo"]);
        builder.deny([String::from("test-echo")])
    });
    assert!(client.allows("guest-ping") && !client.allows("test-echo"));
    assert_not_sent(&client.execute(echo(1)).unwrap_err(), "made to deny it");
    let error = client.execute_raw("Guest-ping", Value::Null).unwrap_err();
    assert_not_sent(&error, "allow other commands only");
    let (pinged, ()) = both(|| client.execute(Ping), || peer.sync_and_answer());
    pinged.unwrap();
}

#[test]
fn a_hold_is_for_all_clones_until_the_last_one_is_lifted() {
    let (client, mut peer) = synced_pair();
    let holds = [client.hold("one", |_| false), client.hold("two", |_| false)];
    let clone = client.clone();
    for hold in holds {
        assert_not_sent(&clone.execute(echo(1)).unwrap_err(), "not sent");
        drop(hold);
    }
    assert!(peer.hears_nothing());
    let (answer, _) = both(|| clone.execute(echo(1)), || peer.answer_echo());
    assert_eq!(answer.unwrap(), "1");
}

#[test]
fn a_hold_stops_what_waits_for_the_channel_and_not_what_is_under_way() {
    let (client, mut peer) = synced_pair();
    thread::scope(|scope| {
        let first = scope.spawn(|| client.execute(echo(1)));
        let request = peer.request();
        let second = scope.spawn(|| client.execute(echo(2)));
        sleep(Duration::from_millis(50));
        let hold = client.hold("busy", |_| false);
        // At once, though the channel is taken.
        assert_not_sent(&client.execute(echo(3)).unwrap_err(), "busy");
        peer.send(crate::support::echo_reply(&request));
        assert_eq!(first.join().unwrap().unwrap(), "1");
        assert_not_sent(&second.join().unwrap().unwrap_err(), "busy");
        drop(hold);
    });
    assert!(peer.hears_nothing());
}

#[test]
fn a_hold_that_comes_while_a_command_synchronizes_keeps_it_back() {
    let (client, mut peer) = pair_with(|builder| builder);
    let script = || {
        let sync = peer.request();
        let hold = client.hold("busy", |_| false);
        peer.send(b"\xFF");
        peer.send(crate::support::reply(&sync, &sync["arguments"]["id"]));
        hold
    };
    let (outcome, _hold) = both(|| client.execute(Ping), script);
    assert_not_sent(&outcome.unwrap_err(), "busy");
    assert!(peer.hears_nothing());
}

#[test]
fn a_hold_stops_a_pipeline_where_it_stands() {
    let (client, mut peer) = synced_pair();
    let mut pipeline = client.pipeline((0..9).map(echo)).in_flight(1);
    let (first, _) = both(|| pipeline.next(), || peer.answer_echo());
    assert_eq!(first.unwrap().unwrap(), "0");
    let hold = client.hold("busy", |_| false);
    assert_not_sent(&pipeline.next().unwrap().unwrap_err(), "busy");
    drop(hold);
    let (next, _) = both(|| pipeline.next(), || peer.answer_echo());
    assert_eq!(next.unwrap().unwrap(), "2");
}

#[test]
fn commands_of_other_threads_wait_for_the_end_of_a_hold_that_ends_soon() {
    let (client, mut peer) = synced_pair();
    let hold = client.hold("thawing", |_| false);
    hold.ends_soon();
    thread::scope(|scope| {
        let (sender, receiver) = mpsc::channel();
        for text in 0..2 {
            let (sender, client) = (sender.clone(), &client);
            scope.spawn(move || sender.send(client.execute(echo(text))).unwrap());
        }
        let early = receiver.recv_timeout(Duration::from_millis(100));
        assert!(early.is_err(), "{early:?}");
        assert!(peer.hears_nothing());
        drop(hold);
        for _ in 0..2 {
            peer.answer_echo();
            receiver.recv().unwrap().unwrap();
        }
    });
}

#[test]
fn a_hold_that_does_not_end_in_a_commands_own_time_keeps_it_back() {
    let (client, mut peer) = synced_pair();
    let hold = client.hold("thawing", |_| false);
    hold.ends_soon();
    let error = client.with_options(BRIEF).execute(Ping).unwrap_err();
    assert_not_sent(&error, "thawing");
    // One that does not end soon is not waited for.
    let _other = client.hold("busy", |_| false);
    assert_not_sent(&client.execute(Ping).unwrap_err(), "busy");
    assert!(peer.hears_nothing());
}

#[test]
fn a_pipeline_lets_go_of_the_channel_while_it_waits_for_the_end_of_a_hold() {
    let (client, mut peer) = synced_pair();
    let hold = client.hold("thawing", |command| command == "guest-ping");
    hold.ends_soon();
    thread::scope(|scope| {
        let piped = scope.spawn(|| client.pipeline([echo(1), echo(2)]).collect::<Vec<_>>());
        sleep(Duration::from_millis(50));
        let (pinged, ()) = both(|| client.execute(Ping), || peer.answer(json!({})));
        pinged.unwrap();
        drop(hold);
        for _ in 0..2 {
            peer.answer_echo();
        }
        assert!(piped.join().unwrap().iter().all(Result::is_ok));
    });
}
