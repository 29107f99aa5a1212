//! Several commands in flight, as an iterator.

use std::cell::Cell;
use std::io::Write;
use std::thread;

use crate::support::{BRIEF, Echo, Peer, Ping, both, echo, echo_reply, pair, synced_pair};
use qga_core::{Error, ErrorKind, Execution};
use serde_json::Value;

fn values(results: Vec<Result<Value, Error>>) -> Vec<Value> {
    results.into_iter().map(Result::unwrap).collect()
}

#[test]
fn two_requests_are_written_before_the_first_answer() {
    let (client, mut peer) = synced_pair();
    let script = || {
        let first = peer.request();
        let second = peer.request();
        assert!(peer.hears_nothing());
        peer.send(echo_reply(&first));
        let third = peer.request();
        peer.send(echo_reply(&second));
        peer.send(echo_reply(&third));
    };
    let results = || client.pipeline((0..3).map(echo)).collect();
    assert_eq!(values(both(results, script).0), ["0", "1", "2"]);
}

#[test]
fn the_iterator_is_asked_only_when_there_is_room() {
    let (client, mut peer) = synced_pair();
    let taken = Cell::new(0);
    let endless = std::iter::from_fn(|| {
        taken.set(taken.get() + 1);
        Some(echo(taken.get()))
    });
    let mut pipeline = client.pipeline(endless).in_flight(3);
    let script = || {
        for _ in 0..3 {
            peer.answer_echo();
        }
    };
    let (first, ()) = both(|| pipeline.next(), script);
    assert_eq!(first.unwrap().unwrap(), "1");
    assert_eq!(taken.get(), 3);
}

#[test]
fn a_request_waits_where_an_agent_behind_a_port_could_lose_replies() {
    let (client, mut peer) = synced_pair();
    let texts: Vec<String> = (0..3).map(|n| n.to_string().repeat(2500)).collect();
    let commands: Vec<Echo> = texts.iter().map(echo).collect();
    let script = || {
        for _ in 0..3 {
            let request = peer.request();
            assert!(peer.hears_nothing());
            peer.send(echo_reply(&request));
        }
    };
    let results = || client.pipeline(commands).in_flight(3).collect();
    assert_eq!(values(both(results, script).0), texts);
}

#[test]
fn an_error_reply_ends_one_command_only() {
    let (client, mut peer) = synced_pair();
    let script = || {
        peer.answer_echo();
        let id = &peer.request()["id"];
        peer.send(format!(
            "{{\"id\": {id}, \"error\": {{\"class\": \"a\", \"desc\": \"b\"}}}}\n"
        ));
        peer.answer_echo();
    };
    let results = || client.pipeline((0..3).map(echo)).collect::<Vec<_>>();
    let (results, ()) = both(results, script);
    assert_eq!(results[0].as_ref().unwrap(), "0");
    let error = results[1].as_ref().unwrap_err();
    assert_eq!(error.agent_error().unwrap().desc, "b");
    assert_eq!(results[2].as_ref().unwrap(), "2");
}

#[test]
fn a_reply_that_was_passed_over_is_lost_and_the_others_are_not() {
    let (client, mut peer) = synced_pair();
    let script = || {
        peer.request();
        peer.answer_echo();
        peer.answer_echo();
    };
    let results = || client.pipeline((0..3).map(echo)).collect::<Vec<_>>();
    let (results, ()) = both(results, script);
    let lost = results[0].as_ref().unwrap_err();
    assert!(matches!(lost.kind(), ErrorKind::ReplyLost), "{lost:?}");
    assert_eq!(lost.execution(), Execution::MaybeRun);
    assert_eq!(lost.command(), Some("test-echo"));
    assert_eq!(results[1].as_ref().unwrap(), "1");
    assert_eq!(results[2].as_ref().unwrap(), "2");
}

#[test]
fn a_pipeline_that_fails_gives_one_result_for_each_command_it_took() {
    let (client, mut peer) = synced_pair();
    let script = || {
        peer.answer_echo();
        peer.request();
        peer.request();
        drop(peer);
    };
    let results = || client.pipeline((0..9).map(echo)).collect::<Vec<_>>();
    let (results, ()) = both(results, script);
    assert_eq!(results.len(), 3);
    assert_eq!(results[0].as_ref().unwrap(), "0");
    assert!(results[1].as_ref().unwrap_err().is_closed());
    let abandoned = results[2].as_ref().unwrap_err();
    assert!(matches!(abandoned.kind(), ErrorKind::Abandoned));
    for failed in &results[1..] {
        let failed = failed.as_ref().unwrap_err();
        assert_eq!(failed.execution(), Execution::MaybeRun);
    }
}

#[test]
fn a_pipeline_on_a_dead_channel_gives_one_error() {
    let (client, peer) = synced_pair();
    drop(peer);
    client.execute(Ping).unwrap_err();
    let results: Vec<_> = client.pipeline((0..9).map(echo)).collect();
    assert_eq!(results.len(), 1);
    let error = results[0].as_ref().unwrap_err();
    assert!(error.is_closed() && error.is_permanent(), "{error:?}");
    assert_eq!(error.execution(), Execution::NotRun);
    assert_eq!(error.command(), Some("test-echo"));
}

#[test]
fn a_pipeline_dropped_half_read_leaves_the_next_reply_with_its_own_command() {
    let (client, mut peer) = synced_pair();
    let mut pipeline = client.pipeline((0..9).map(echo));
    let (first, _) = both(|| pipeline.next(), || peer.answer_echo());
    assert_eq!(first.unwrap().unwrap(), "0");
    drop(pipeline);
    let script = || {
        peer.answer_echo();
        peer.sync();
        peer.answer_echo()
    };
    let (answer, _) = both(|| client.execute(echo("next")), script);
    assert_eq!(answer.unwrap(), "next");
}

#[test]
fn a_pipeline_that_was_begun_and_not_asked_again_is_no_harm_either() {
    let (client, mut peer) = synced_pair();
    drop(client.pipeline((0..9).map(echo)));
    let (answer, _) = both(|| client.execute(echo("next")), || peer.answer_echo());
    assert_eq!(answer.unwrap(), "next");
}

#[test]
fn an_agent_without_ids_gets_one_request_at_a_time() {
    let (client, mut peer) = pair();
    let script = || {
        peer.sync_without_id();
        for answer in 0..3 {
            peer.request();
            assert!(peer.hears_nothing());
            peer.send(format!("{{\"return\": \"{answer}\"}}\n"));
        }
    };
    let results = || client.pipeline((0..3).map(echo)).in_flight(3).collect();
    assert_eq!(values(both(results, script).0), ["0", "1", "2"]);
}

#[test]
fn the_channel_is_free_after_the_last_result() {
    let (client, mut peer) = synced_pair();
    let mut pipeline = client.pipeline([echo(1)]);
    let (last, _) = both(|| pipeline.next(), || peer.answer_echo());
    assert_eq!(last.unwrap().unwrap(), "1");
    let (answer, _) = both(|| client.execute(echo(2)), || peer.answer_echo());
    assert_eq!(answer.unwrap(), "2");
    assert!(pipeline.next().is_none());
}

#[test]
fn a_result_that_does_not_come_ends_a_pipeline_and_the_next_command_works() {
    let (client, mut peer) = synced_pair();
    let brief = client.with_options(BRIEF);
    let script = || {
        peer.answer_echo();
        peer.request();
        peer.request();
        peer
    };
    let results = || brief.pipeline((0..9).map(echo)).collect::<Vec<_>>();
    let (results, mut peer) = both(results, script);
    assert_eq!(results.len(), 3);
    assert!(results[1].as_ref().unwrap_err().is_timeout());
    let abandoned = results[2].as_ref().unwrap_err();
    assert!(matches!(abandoned.kind(), ErrorKind::Abandoned));
    let script = || {
        peer.sync();
        peer.answer_echo()
    };
    let (answer, _) = both(|| client.execute(echo("next")), script);
    assert_eq!(answer.unwrap(), "next");
}

/// Whether the others of many commands come between those of a pipeline.
#[test]
fn a_pipeline_lets_others_in_after_what_is_in_flight() {
    let (client, mut peer) = synced_pair();
    let agent = thread::spawn(move || {
        let mut texts = Vec::new();
        while let Some(request) = peer.next_request() {
            texts.push(request["arguments"]["text"].clone());
            // What is in flight when the pipeline is dropped finds nobody.
            drop(peer.stream.write_all(echo_reply(&request).as_bytes()));
        }
        texts
    });
    thread::scope(|scope| {
        let (client, other) = (&client, client.clone());
        let mut pipeline = client.pipeline((0..).map(echo));
        pipeline.next().unwrap().unwrap();
        // The pipeline has the channel until somebody waits for it; then it goes on after them.
        let other = scope.spawn(move || other.execute(echo("other")));
        let mut expected = 1;
        while !other.is_finished() {
            let next = pipeline.next().unwrap().unwrap();
            assert_eq!(next, expected.to_string());
            expected += 1;
        }
        assert_eq!(other.join().unwrap().unwrap(), "other");
        assert_eq!(pipeline.next().unwrap().unwrap(), expected.to_string());
    });
    drop(client);
    let texts = agent.join().unwrap();
    assert!(texts.iter().any(|text| text == "other"));
}

#[test]
fn two_pipelines_and_commands_of_other_threads_all_get_their_own() {
    let (client, peer) = synced_pair();
    let agent = thread::spawn(move || {
        let mut peer: Peer = peer;
        peer.echo_all();
    });
    thread::scope(|scope| {
        for start in [0, 1000] {
            let client = &client;
            scope.spawn(move || {
                let results = client.pipeline((start..start + 200).map(echo));
                let expected: Vec<_> = (start..start + 200).map(|n| n.to_string()).collect();
                assert_eq!(values(results.collect()), expected);
            });
            scope.spawn(move || {
                for text in start + 500..start + 600 {
                    assert_eq!(client.execute(echo(text)).unwrap(), text.to_string());
                }
            });
        }
    });
    drop(client);
    agent.join().unwrap();
}
