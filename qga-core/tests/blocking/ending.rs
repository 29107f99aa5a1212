//! The end of a channel, and commands that hope for it.

use std::net::Shutdown as Direction;

use crate::support::{BRIEF, Ping, Shutdown, both, echo, pair, synced_pair};
use qga_core::{CommandSpec, Execution, NoReply, Reply, Stage};
use serde_json::{Value, json};

#[test]
fn a_command_answered_only_on_failure_ends_in_one_of_three_ways() {
    let (client, mut peer) = synced_pair();
    let (outcome, _) = both(|| client.execute(Shutdown), || peer.request());
    assert_eq!(outcome.unwrap(), NoReply::Silent);
    let script = || {
        peer.sync();
        peer.answer(json!({}));
    };
    let (outcome, ()) = both(|| client.execute(Shutdown), script);
    assert_eq!(outcome.unwrap(), NoReply::Replied);
    let (outcome, ()) = both(
        || client.execute(Shutdown),
        || {
            peer.request();
            drop(peer);
        },
    );
    assert_eq!(outcome.unwrap(), NoReply::Closed);
}

#[test]
fn a_command_answered_only_on_failure_may_fail_too() {
    let (client, mut peer) = synced_pair();
    let script = || {
        let id = &peer.request()["id"];
        peer.send(format!(
            "{{\"id\": {id}, \"error\": {{\"class\": \"a\", \"desc\": \"b\"}}}}\n"
        ));
    };
    let error = both(|| client.execute(Shutdown), script).0.unwrap_err();
    assert_eq!(error.agent_error().unwrap().desc, "b");
}

#[test]
fn a_timeout_shorter_than_the_grace_is_no_silence() {
    let (client, mut peer) = synced_pair();
    let brief = client.with_options(BRIEF.grace(std::time::Duration::from_secs(10)));
    let (outcome, _) = both(|| brief.execute(Shutdown), || peer.request());
    let error = outcome.unwrap_err();
    assert!(error.is_timeout(), "{error:?}");
    assert_eq!(error.execution(), Execution::MaybeRun);
}

#[test]
fn a_raw_command_says_how_it_ended_without_a_reply() {
    let (client, mut peer) = synced_pair();
    let spec = CommandSpec::new("guest-shutdown").reply(Reply::OnErrorOnly);
    let (outcome, _) = both(|| client.execute_raw(spec, Value::Null), || peer.request());
    assert_eq!(outcome.unwrap(), "silent");
}

#[test]
fn a_channel_that_closes_says_so_then_and_ever_after() {
    let (client, mut peer) = synced_pair();
    let (outcome, ()) = both(
        || client.execute(Ping),
        || {
            peer.request();
            drop(peer);
        },
    );
    let error = outcome.unwrap_err();
    assert!(error.is_closed() && error.is_permanent(), "{error:?}");
    assert_eq!(error.execution(), Execution::MaybeRun);
    for _ in 0..2 {
        let error = client.execute(Ping).unwrap_err();
        assert!(error.is_closed() && error.is_permanent(), "{error:?}");
        assert_eq!(error.execution(), Execution::NotRun);
    }
}

#[test]
fn a_peer_that_has_gone_before_the_command_has_not_run_it() {
    let (client, peer) = synced_pair();
    drop(peer);
    let error = client.execute(Ping).unwrap_err();
    assert!(error.is_closed(), "{error:?}");
    assert_eq!(error.execution(), Execution::NotRun);
}

#[test]
fn an_answer_that_was_begun_is_no_clean_end() {
    let (client, mut peer) = synced_pair();
    let (outcome, ()) = both(
        || client.execute(Shutdown),
        || {
            peer.request();
            peer.send("{\"retu");
            drop(peer);
        },
    );
    let error = outcome.unwrap_err();
    assert!(error.is_closed(), "{error:?}");
    assert_eq!(error.execution(), Execution::MaybeRun);
}

#[test]
fn what_the_peer_said_before_it_stopped_listening_is_heard() {
    let (client, mut peer) = synced_pair();
    let mut pipeline = client.pipeline((0..5).map(echo));
    let (first, peer) = both(
        || pipeline.next(),
        || {
            let requests = [peer.request(), peer.request()];
            for request in requests {
                peer.send(crate::support::echo_reply(&request));
            }
            peer.stream.shutdown(Direction::Read).unwrap();
            peer
        },
    );
    assert_eq!(first.unwrap().unwrap(), "0");
    assert_eq!(pipeline.next().unwrap().unwrap(), "1");
    drop(peer);
    let rest: Vec<_> = pipeline.map(Result::unwrap_err).collect();
    assert!(rest[0].is_closed(), "{rest:?}");
    assert!(rest.len() <= 2, "{rest:?}");
}

#[test]
fn a_peer_that_hangs_up_in_the_sync_is_told_from_silence() {
    let (client, mut peer) = pair();
    let (outcome, ()) = both(
        || client.execute(Ping),
        || {
            peer.request();
            drop(peer);
        },
    );
    let error = outcome.unwrap_err();
    assert!(error.is_closed(), "{error:?}");
    assert_eq!(
        (error.stage(), error.execution()),
        (Stage::Sync, Execution::NotRun)
    );
}
