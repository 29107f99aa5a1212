//! A command and its reply.

use std::thread;
use std::time::Duration;

use crate::support::{BRIEF, Ping, STRAY, both, echo, echo_reply, pair, reply, synced_pair};
use qga_core::{Execution, Malformed, QgaCommand, Stage};
use serde_json::json;

#[test]
fn the_first_command_synchronizes_first_and_passes_over_what_was_left_unread() {
    let (client, mut peer) = pair();
    peer.send("{\"return\": \"old\", \"id\": 1}\n{\"return\": \"torn");
    let script = || {
        peer.sync();
        peer.answer_echo()
    };
    let (answer, _) = both(|| client.execute(echo("new")), script);
    assert_eq!(answer.unwrap(), "new");
}

#[test]
fn an_agent_without_ids_is_served_in_order() {
    let (client, mut peer) = pair();
    let script = || {
        peer.sync_without_id();
        for answer in 0..3 {
            assert!(peer.request().get("id").is_none());
            peer.send(format!("{{\"return\": {answer}}}\n"));
        }
    };
    let commands = || [0, 1, 2].map(|text| client.execute(echo(text)).unwrap());
    assert_eq!(both(commands, script).0, [json!(0), json!(1), json!(2)]);
}

#[test]
fn what_an_agent_without_ids_says_unasked_answers_nothing() {
    let (client, mut peer) = pair();
    let script = || {
        peer.sync_without_id();
        peer.request();
        peer.send("{\"return\": 1}\n");
    };
    let (answer, ()) = both(|| client.execute(echo(1)), script);
    assert_eq!(answer.unwrap(), 1);
    peer.send("{\"return\": \"late\"}\n");
    let script = || {
        peer.sync_without_id();
        peer.request();
        peer.send("{\"return\": 2}\n");
    };
    // At once: no time has passed in which the client might look.
    let (answer, ()) = both(|| client.execute(echo(2)), script);
    assert_eq!(answer.unwrap(), 2);
}

#[test]
fn a_reply_to_somebody_else_and_one_that_comes_twice_are_passed_over() {
    let (client, mut peer) = synced_pair();
    let agent = thread::spawn(move || {
        while let Some(request) = peer.next_request() {
            if request["execute"] == "test-echo" {
                peer.send("{\"return\": \"other\", \"id\": 5}\n");
                peer.send(echo_reply(&request).repeat(2));
            } else {
                peer.send(b"\xFF");
                peer.send(reply(&request, &request["arguments"]["id"]));
            }
        }
    });
    for text in 0..20 {
        let answer = client.execute(echo(text)).unwrap();
        assert_eq!(answer, text.to_string());
    }
    drop(client);
    agent.join().unwrap();
}

#[test]
fn after_a_timeout_the_late_reply_is_dropped() {
    let (client, mut peer) = synced_pair();
    let brief = client.with_options(BRIEF);
    let (error, request) = both(|| brief.execute(echo("slow")), || peer.request());
    let error = error.unwrap_err();
    assert!(error.is_timeout(), "{error:?}");
    assert_eq!(
        (error.stage(), error.execution()),
        (Stage::Receive, Execution::MaybeRun)
    );
    peer.send(echo_reply(&request));
    let script = || {
        peer.sync();
        peer.answer_echo()
    };
    let (answer, _) = both(|| client.execute(echo("next")), script);
    assert_eq!(answer.unwrap(), "next");
}

#[test]
fn a_deadline_in_the_middle_of_a_reply_leaves_the_rest_to_nobody() {
    let (client, mut peer) = synced_pair();
    let brief = client.with_options(BRIEF);
    let script = || {
        let request = peer.request();
        peer.send(&echo_reply(&request)[..12]);
        request
    };
    let (error, request) = both(|| brief.execute(echo("slow")), script);
    assert!(error.unwrap_err().is_timeout());
    peer.send(&echo_reply(&request)[12..]);
    let script = || {
        peer.sync();
        peer.answer_echo()
    };
    let (answer, _) = both(|| client.execute(echo("next")), script);
    assert_eq!(answer.unwrap(), "next");
}

#[test]
fn each_bad_reply_has_its_error_and_the_next_command_works() {
    let cases: [(&[u8], Malformed); 4] = [
        (b"\xFEgarbage", Malformed::NotUtf8),
        (b"garbage", Malformed::NotJson),
        (b"[]", Malformed::NotAnObject),
        (b"{}", Malformed::NoReturnOrError),
    ];
    for (line, expected) in cases {
        let (client, mut peer) = synced_pair();
        let script = || {
            peer.request();
            peer.send([line, b"\n"].concat());
            peer.sync();
            peer.answer_echo()
        };
        let commands = || {
            let error = client.execute(Ping).unwrap_err();
            let qga_core::ErrorKind::Malformed { reason, .. } = error.kind() else {
                panic!("{error:?}");
            };
            assert_eq!(*reason, expected);
            client.execute(echo("next"))
        };
        assert_eq!(both(commands, script).0.unwrap(), "next");
    }
}

#[test]
fn an_error_of_the_agent_is_the_commands_and_the_channel_stays_in_step() {
    let (client, mut peer) = synced_pair();
    let script = || {
        let id = &peer.request()["id"];
        peer.send(format!(
            "{{\"error\": {{\"class\": \"CommandNotFound\", \"desc\": \"no\"}}, \"id\": {id}}}\n"
        ));
        peer.answer_echo();
    };
    let commands = || {
        let error = client.execute(Ping).unwrap_err();
        assert!(error.is_command_not_found());
        assert_eq!(error.execution(), Execution::NotRun);
        client.execute(echo("next"))
    };
    assert_eq!(both(commands, script).0.unwrap(), "next");
}

#[test]
fn an_error_without_an_id_is_not_the_commands_error() {
    let (client, mut peer) = synced_pair();
    let script = || {
        peer.request();
        peer.send(STRAY);
    };
    let error = both(|| client.execute(Ping), script).0.unwrap_err();
    assert_eq!(error.execution(), Execution::MaybeRun);
    assert!(
        matches!(error.kind(), qga_core::ErrorKind::Unattributed(_)),
        "{error:?}"
    );
}

#[test]
fn a_reply_of_another_shape_is_in_the_error_and_the_channel_stays_in_step() {
    #[derive(QgaCommand)]
    #[qga(name = "test-number", response = i64)]
    struct Number;
    let (client, mut peer) = synced_pair();
    let script = || {
        peer.answer(json!("seven"));
        peer.answer_echo();
    };
    let commands = || {
        let error = client.execute(Number).unwrap_err();
        assert!(error.to_string().contains("seven"), "{error}");
        assert_eq!(error.execution(), Execution::Answered);
        client.execute(echo("next"))
    };
    assert_eq!(both(commands, script).0.unwrap(), "next");
}

#[test]
fn a_sync_asks_also_where_the_channel_is_in_step() {
    let (client, mut peer) = synced_pair();
    let (synced, ()) = both(|| client.sync(), || peer.sync());
    synced.unwrap();
    let mute = client.with_options(BRIEF);
    let error = mute.sync().unwrap_err();
    assert!(error.is_timeout());
    assert_eq!((error.stage(), error.command()), (Stage::Sync, None));
}

#[test]
fn an_idle_channel_that_says_something_is_synchronized_first() {
    let (client, mut peer) = synced_pair();
    peer.send("{\"return\": \"unasked\"}\n");
    thread::sleep(Duration::from_millis(50));
    let script = || {
        peer.sync();
        peer.answer_echo()
    };
    let (answer, _) = both(|| client.execute(echo("next")), script);
    assert_eq!(answer.unwrap(), "next");
}

#[test]
fn a_client_may_move_between_threads_and_shows_no_replies() {
    fn check<T: Send + Sync + Clone>(value: &T) -> &T {
        value
    }
    let (client, mut peer) = synced_pair();
    let moved = check(&client).clone();
    let (answer, _) = both(
        || thread::spawn(move || moved.execute(echo("secret"))).join(),
        || peer.answer_echo(),
    );
    assert_eq!(answer.unwrap().unwrap(), "secret");
    assert!(!format!("{client:?}").contains("secret"));
}
