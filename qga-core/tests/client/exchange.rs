//! One command at a time over a channel that is not as it should be.

use std::time::Duration;

use crate::support::{
    Echo, Flood, GetHostName, HostName, Peer, Ping, QUICK, Shutdown, TakesSyncsOnly, chain, echo,
    echo_reply, pair, reply, synced_pair,
};
use qga_core::{Client, ErrorKind, Execution, Malformed, NoReply, Stage};
use serde_json::{Value, json};
use tokio::time::Instant;

#[tokio::test(start_paused = true)]
async fn the_first_command_synchronizes_first() {
    let (client, mut peer) = pair(4096);
    let (host, ()) = tokio::join!(client.execute(GetHostName), async {
        peer.sync().await;
        peer.answer(json!({"host-name": "vm1"})).await;
    });
    let host_name = "vm1".to_owned();
    assert_eq!(host.unwrap(), HostName { host_name });
}

#[tokio::test(start_paused = true)]
async fn what_an_earlier_client_left_unread_is_dropped() {
    let (client, mut peer) = pair(4096);
    let old = format!(
        "{{\"return\": {{\"buf-b64\": \"{}\"}}}}\n",
        "QUJD".repeat(500_000)
    );
    let (host, ()) = tokio::join!(client.execute(GetHostName), async {
        peer.send("ead of it\n{\"return\": {\"host-name\": \"old\"}}\n")
            .await;
        peer.send(&old).await;
        peer.send(b"\xFF{\"return\": 111}\n").await;
        peer.send(&old[..1_000_000]).await;
        peer.sync().await;
        peer.answer(json!({"host-name": "vm1"})).await;
    });
    assert_eq!(host.unwrap().host_name, "vm1");
}

#[tokio::test(start_paused = true)]
async fn a_sync_that_the_channel_has_lost_is_sent_again() {
    let (client, mut peer) = pair(4096);
    let start = Instant::now();
    let (pinged, ()) = tokio::join!(client.execute(Ping), async {
        let first = peer.request().await;
        let second = peer.request().await;
        assert_ne!(first["arguments"]["id"], second["arguments"]["id"]);
        peer.sync().await;
        peer.answer(json!({})).await;
    });
    pinged.unwrap();
    assert!(
        start.elapsed() < Duration::from_secs(4),
        "{:?}",
        start.elapsed()
    );
}

#[tokio::test(start_paused = true)]
async fn syncs_that_were_all_answered_late_do_not_disturb_the_next_command() {
    let (client, mut peer) = pair(4096);
    let (pinged, ()) = tokio::join!(client.execute(GetHostName), async {
        let mut late = Vec::new();
        for _ in 0..3 {
            late.push(peer.request().await);
        }
        for request in &late {
            peer.send(b"\xFF").await;
            peer.send(reply(request, &request["arguments"]["id"])).await;
        }
        peer.answer(json!({"host-name": "vm1"})).await;
    });
    assert_eq!(pinged.unwrap().host_name, "vm1");
}

#[tokio::test(start_paused = true)]
async fn an_agent_without_ids_is_served_in_order() {
    let (client, mut peer) = pair(4096);
    let (host, ()) = tokio::join!(client.execute(GetHostName), async {
        let request = peer.request().await;
        let token = &request["arguments"]["id"];
        peer.send(b"\xFF").await;
        peer.send(format!("{{\"return\": {token}}}\n")).await;
        let request = peer.request().await;
        assert_eq!(request, json!({"execute": "guest-get-host-name"}));
        peer.send("{\"return\": {\"host-name\": \"vm1\"}}\n").await;
    });
    assert_eq!(host.unwrap().host_name, "vm1");
}

#[tokio::test(start_paused = true)]
async fn a_reply_to_somebody_else_is_passed_over() {
    let (client, mut peer) = synced_pair().await;
    let (answer, ()) = tokio::join!(client.execute(echo("mine")), async {
        let request = peer.request().await;
        peer.send("{\"return\": \"theirs\", \"id\": 1}\n{\"return\": \"theirs\"}\n")
            .await;
        peer.send("{\"id\": \"x\", \"error\": {\"class\": \"a\", \"desc\": \"b\"}}\n")
            .await;
        peer.send(echo_reply(&request)).await;
    });
    assert_eq!(answer.unwrap(), "mine");
}

#[tokio::test(start_paused = true)]
async fn a_reply_that_comes_twice_does_not_answer_the_next_command() {
    let (client, mut peer) = synced_pair().await;
    let answers = tokio::join!(
        async { (client.execute(echo(1)).await, client.execute(echo(2)).await) },
        async {
            let first = peer.request().await;
            peer.send(echo_reply(&first).repeat(2)).await;
            peer.sync().await;
            peer.answer_echo().await;
        }
    );
    assert_eq!(answers.0.0.unwrap(), "1");
    assert_eq!(answers.0.1.unwrap(), "2");
}

#[tokio::test(start_paused = true)]
async fn as_much_as_comes_while_nothing_was_asked_is_dropped() {
    let (client, mut peer) = synced_pair().await;
    let line = "{\"return\": \"old\"}\n";
    let old = line.repeat(3000);
    for length in [1, 20, 1023, 1024, 1025, 8192, 9000, 20 * 1024, 54_000] {
        peer.send(&old[..length]).await;
        let (answer, ()) = tokio::join!(client.execute(echo(length)), async {
            peer.sync().await;
            peer.answer_echo().await;
        });
        assert_eq!(answer.unwrap(), length.to_string());
    }
}

#[tokio::test(start_paused = true)]
async fn what_comes_while_nothing_was_asked_is_dropped_even_without_ids() {
    let (client, mut peer) = pair(4096);
    let (answers, ()) = tokio::join!(
        async {
            let first = client.execute(echo("one")).await;
            tokio::time::sleep(Duration::from_secs(5)).await;
            (first, client.execute(echo("two")).await)
        },
        async {
            peer.sync_without_id().await;
            peer.request().await;
            peer.send("{\"return\": \"one\"}\n").await;
            tokio::time::sleep(Duration::from_secs(1)).await;
            peer.send("{\"return\": \"one\"}\n").await;
            peer.sync_without_id().await;
            peer.request().await;
            peer.send("{\"return\": \"two\"}\n").await;
        }
    );
    assert_eq!(answers.0.unwrap(), "one");
    assert_eq!(answers.1.unwrap(), "two");
}

#[tokio::test(start_paused = true)]
async fn what_lies_below_an_error_is_escaped_and_cut_too() {
    #[derive(Debug, serde::Deserialize)]
    enum Status {}

    #[derive(qga_core::QgaCommand)]
    #[qga(name = "guest-fsfreeze-status", response = Status)]
    struct GetStatus;

    let (client, mut peer) = synced_pair().await;
    let evil = format!("\u{1b}]0;pwned\u{7}{}", "x".repeat(100_000));
    let (answer, ()) = tokio::join!(client.execute(GetStatus), peer.answer(json!(evil)));
    let error = answer.unwrap_err();
    for shown in [chain(&error), format!("{error:?}")] {
        assert!(
            !shown.contains('\u{1b}') && shown.len() < 2000,
            "{} bytes",
            shown.len()
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_long_reply_of_another_shape_is_not_built_up_for_its_error() {
    let (client, mut peer) = synced_pair().await;
    let long = Value::from(vec![0; 100_000]);
    let (answer, ()) = tokio::join!(client.execute(GetHostName), peer.answer(long));
    let error = answer.unwrap_err();
    assert_eq!(error.decode_error().unwrap().piece(), None);
}

#[tokio::test(start_paused = true)]
async fn a_reply_glued_to_a_torn_one_is_found() {
    let (client, mut peer) = synced_pair().await;
    let (answer, ()) = tokio::join!(client.execute(echo("new")), async {
        let request = peer.request().await;
        peer.send("{\"return\": {\"buf-b64\": \"AAAA").await;
        peer.send(echo_reply(&request)).await;
    });
    assert_eq!(answer.unwrap(), "new");
}

#[tokio::test(start_paused = true)]
async fn after_a_timeout_the_late_reply_is_dropped() {
    let (client, mut peer) = synced_pair().await;
    let script = async {
        let late = peer.request().await;
        let sync = peer.request().await;
        peer.send(echo_reply(&late)).await;
        peer.send("{\"return\": 5}\n").await;
        peer.send(b"\xFF").await;
        peer.send(reply(&sync, &sync["arguments"]["id"])).await;
        peer.answer_echo().await;
    };
    let commands = async {
        let start = Instant::now();
        let error = client.execute(echo("late")).await.unwrap_err();
        assert!(error.is_timeout(), "{error}");
        assert_eq!(error.stage(), Stage::Receive);
        assert_eq!(error.execution(), Execution::MaybeRun);
        assert_eq!(start.elapsed(), Duration::from_secs(10));
        client.execute(echo("next")).await
    };
    assert_eq!(tokio::join!(commands, script).0.unwrap(), "next");
}

#[tokio::test(start_paused = true)]
async fn bytes_that_trickle_in_do_not_extend_the_deadline() {
    let (client, mut peer) = synced_pair().await;
    let start = Instant::now();
    let trickle = async {
        loop {
            peer.send(" ").await;
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    };
    tokio::select! {
        answer = client.execute(Ping) => assert!(answer.unwrap_err().is_timeout()),
        () = trickle => {}
    }
    assert_eq!(start.elapsed(), Duration::from_secs(10));
}

#[tokio::test(start_paused = true)]
async fn lines_that_sync_passes_over_do_not_extend_the_deadline() {
    let (client, mut peer) = pair(4096);
    let start = Instant::now();
    let trickle = async {
        loop {
            peer.send(crate::support::STRAY).await;
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
    };
    tokio::select! {
        answer = client.execute(Ping) => {
            let error = answer.unwrap_err();
            assert!(error.is_timeout());
            assert_eq!(error.stage(), Stage::Sync);
            assert_eq!(error.execution(), Execution::NotRun);
        }
        () = trickle => {}
    }
    assert_eq!(start.elapsed(), Duration::from_secs(10));
}

/// On a thread of its own and in real time: a peer that never rests leaves the runtime no moment
/// to look at a clock.
#[test]
fn a_flood_ends_at_the_deadline() {
    let floods = [
        (b"{\"return\": 1, \"id\": 1}\n".as_slice(), true),
        (b"{\"return\": 1, \"id\": 1}\n", false),
        (b"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", true),
        (b"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", false),
    ];
    for (flood, answers_sync) in floods {
        let (sender, receiver) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            let options = QUICK
                .timeout(Duration::from_millis(50))
                .reply_limit(usize::MAX / 4);
            let client = Client::builder()
                .options(options)
                .build(Flood::new(flood, answers_sync));
            sender.send(runtime.block_on(client.execute(Ping)))
        });
        let error = receiver
            .recv_timeout(Duration::from_secs(20))
            .expect("the flood holds the client beyond its deadline")
            .unwrap_err();
        assert!(error.is_timeout(), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_short_deadline_after_a_long_one_counts() {
    let (client, mut peer) = synced_pair().await;
    let brief = client.options().timeout(Duration::from_millis(300));
    let client = client.with_options(brief);
    let start = Instant::now();
    let (error, _) = tokio::join!(client.execute(Ping), peer.request());
    assert!(error.unwrap_err().is_timeout());
    assert_eq!(start.elapsed(), Duration::from_millis(300));
}

#[tokio::test(start_paused = true)]
async fn each_bad_reply_has_its_error_and_the_next_command_works() {
    let deep = format!(
        "{{\"return\": {}{}}}",
        "[".repeat(100_000),
        "]".repeat(100_000)
    );
    let cases: [(&[u8], Malformed); 8] = [
        (b"\xFEgarbage", Malformed::NotUtf8),
        (b"garbage", Malformed::NotJson),
        (b"[]", Malformed::NotAnObject),
        (b"{}", Malformed::NoReturnOrError),
        (
            b"{\"return\": 1, \"error\": {\"class\": \"a\", \"desc\": \"b\"}}",
            Malformed::ReturnAndError,
        ),
        (
            b"{\"return\": 1, \"return\": 1}",
            Malformed::DuplicateMember,
        ),
        (b"{\"error\": \"bad\"}", Malformed::BadError),
        (deep.as_bytes(), Malformed::TooDeep),
    ];
    for (line, expected) in cases {
        let (client, mut peer) = synced_pair().await;
        let script = async {
            peer.request().await;
            peer.send(line).await;
            peer.send("\n").await;
            peer.sync().await;
            peer.answer_echo().await;
        };
        let commands = async {
            let error = client.execute(Ping).await.unwrap_err();
            assert!(
                matches!(error.kind(), ErrorKind::Malformed { reason, .. } if *reason == expected),
                "{error:?}"
            );
            assert!(error.is_bad_reply());
            assert!(error.to_string().len() < 500, "{error}");
            assert_eq!(error.execution(), Execution::MaybeRun);
            client.execute(echo("next")).await
        };
        assert_eq!(tokio::join!(commands, script).0.unwrap(), "next");
    }
}

#[tokio::test(start_paused = true)]
async fn a_reply_that_never_ends_is_too_long_and_the_next_command_works() {
    let (client, mut peer) = synced_pair().await;
    let script = async {
        peer.request().await;
        peer.send("{\"return\": \"").await;
        let piece = "A".repeat(64 * 1024);
        for _ in 0..200 {
            peer.send(&piece).await;
        }
        peer.sync().await;
        peer.answer_echo().await;
    };
    let commands = async {
        let error = client.execute(Ping).await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::ReplyTooLong(limit) if *limit == 10 << 20));
        client.execute(echo("next")).await
    };
    assert_eq!(tokio::join!(commands, script).0.unwrap(), "next");
}

#[tokio::test(start_paused = true)]
async fn an_error_of_an_unknown_class_is_the_agents_error() {
    let (client, mut peer) = synced_pair().await;
    let (answer, ()) = tokio::join!(client.execute(Ping), async {
        let request = peer.request().await;
        let id = &request["id"];
        peer.send(format!(
            "{{\"id\": {id}, \"error\": {{\"class\": \"Odd\", \"desc\": \"\\u001b[31m\"}}}}\n"
        ))
        .await;
    });
    let error = answer.unwrap_err();
    assert_eq!(error.agent_error().unwrap().class, "Odd");
    assert_eq!(error.execution(), Execution::Answered);
    assert_eq!(error.to_string(), "guest-ping: \\u{1b}[31m (Odd)");
}

#[tokio::test(start_paused = true)]
async fn an_error_without_an_id_is_not_the_commands_error() {
    let (client, mut peer) = synced_pair().await;
    let (answer, ()) = tokio::join!(client.execute(Ping), async {
        peer.request().await;
        peer.send(crate::support::STRAY).await;
    });
    let error = answer.unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::Unattributed(_)),
        "{error:?}"
    );
    assert!(error.agent_error().is_none());
    assert_eq!(error.execution(), Execution::MaybeRun);
}

#[tokio::test(start_paused = true)]
async fn a_reply_of_another_shape_is_in_the_error_and_the_channel_stays_in_step() {
    let (client, mut peer) = synced_pair().await;
    let (answers, ()) = tokio::join!(
        async {
            (
                client.execute(GetHostName).await,
                client.execute(echo("next")).await,
            )
        },
        async {
            peer.answer(json!({"host-name": 5})).await;
            peer.answer_echo().await;
        }
    );
    let error = answers.0.unwrap_err();
    let decode = error.decode_error().unwrap();
    assert_eq!(decode.json(), Some("{\"host-name\":5}"));
    assert_eq!((decode.path(), decode.piece()), ("host-name", Some("5")));
    assert!(
        chain(&error).contains("expected a string"),
        "{}",
        chain(&error)
    );
    assert_eq!(error.execution(), Execution::Answered);
    assert_eq!(answers.1.unwrap(), "next");
}

#[tokio::test(start_paused = true)]
async fn a_secret_reply_is_in_no_error() {
    #[derive(qga_core::QgaCommand)]
    #[qga(name = "test-get-password", response = Vec<u8>, secret_reply)]
    struct GetPassword;

    for in_pipeline in [false, true] {
        let (client, mut peer) = synced_pair().await;
        let fail = async || {
            let mut pipeline = client.pipeline([GetPassword]);
            let answer = if in_pipeline {
                pipeline.next().await.unwrap()
            } else {
                client.execute(GetPassword).await
            };
            answer.unwrap_err()
        };
        let (errors, ()) = tokio::join!(
            async { [fail().await, fail().await, fail().await] },
            async {
                peer.answer(json!("hunter2")).await;
                peer.request().await;
                peer.send("{\"return\": hunter2}\n").await;
                peer.sync().await;
                peer.request().await;
                peer.send(crate::support::STRAY.replace("stray", "stray hunter2"))
                    .await;
            }
        );
        assert!(errors[0].is_bad_reply() && errors[1].is_bad_reply());
        for error in errors {
            let shown = format!("{error} {error:?} {error:#?} {}", chain(&error));
            assert!(!shown.contains("hunter2"), "{shown}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_channel_that_closes_says_so_then_and_ever_after() {
    let (client, mut peer) = synced_pair().await;
    let (answer, ()) = tokio::join!(client.execute(Ping), async {
        peer.request().await;
        peer.send("{\"return\": {").await;
        drop(peer);
    });
    let error = answer.unwrap_err();
    assert!(error.is_closed());
    assert_eq!(error.execution(), Execution::MaybeRun);
    let error = client.execute(Ping).await.unwrap_err();
    assert!(error.is_closed());
    assert_eq!(
        (error.stage(), error.execution()),
        (Stage::Send, Execution::NotRun)
    );
}

#[tokio::test(start_paused = true)]
async fn a_command_answered_only_on_failure_ends_in_one_of_three_ways() {
    let (client, mut peer) = synced_pair().await;
    let start = Instant::now();
    let (outcome, _) = tokio::join!(client.execute(Shutdown), peer.request());
    assert_eq!(outcome.unwrap(), NoReply::Silent);
    assert_eq!(start.elapsed(), Duration::from_secs(1));

    let brief = client.options().timeout(Duration::from_millis(300));
    let brief = client.with_options(brief);
    let start = Instant::now();
    let (outcome, ()) = tokio::join!(brief.execute(Shutdown), async {
        peer.sync().await;
        peer.request().await;
    });
    let error = outcome.unwrap_err();
    assert!(error.is_timeout(), "not the whole grace was listened to");
    assert_eq!(error.execution(), Execution::MaybeRun);
    assert_eq!(start.elapsed(), Duration::from_millis(300));

    let (outcome, ()) = tokio::join!(client.execute(Shutdown), async {
        peer.sync().await;
        let request = peer.request().await;
        let id = &request["id"];
        peer.send(format!(
            "{{\"id\": {id}, \"error\": {{\"class\": \"a\", \"desc\": \"b\"}}}}\n"
        ))
        .await;
    });
    assert_eq!(outcome.unwrap_err().agent_error().unwrap().desc, "b");

    let (outcome, ()) = tokio::join!(client.execute(Shutdown), async {
        peer.request().await;
        drop(peer);
    });
    assert_eq!(outcome.unwrap(), NoReply::Closed);
}

#[tokio::test(start_paused = true)]
async fn a_command_answered_only_on_failure_that_is_not_taken_is_no_success() {
    let (client, _peer) = pair(8);
    let error = client.execute(Shutdown).await.unwrap_err();
    assert!(error.is_timeout());
    assert_eq!(error.execution(), Execution::NotRun);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_nobody_takes_has_not_run() {
    let (ours, theirs) = tokio::io::duplex(4096);
    let client = Client::builder().options(QUICK).build(TakesSyncsOnly(ours));
    let mut peer = Peer::over(theirs);
    let (answer, ()) = tokio::join!(client.execute(Ping), peer.sync());
    let error = answer.unwrap_err();
    assert_eq!(
        (error.stage(), error.execution()),
        (Stage::Send, Execution::NotRun)
    );
    let answer = client.execute(Shutdown).await;
    assert_eq!(answer.unwrap_err().execution(), Execution::NotRun);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_was_begun_may_have_run() {
    let (client, mut peer) = pair(256);
    let big = echo("x".repeat(10_000));
    let (answer, ()) = tokio::join!(client.execute(big), peer.sync());
    let error = answer.unwrap_err();
    assert_eq!(error.stage(), Stage::Send);
    assert_eq!(error.execution(), Execution::MaybeRun);
    let error = client.execute(Ping).await.unwrap_err();
    assert_eq!(
        (error.stage(), error.execution()),
        (Stage::Sync, Execution::NotRun)
    );
}

#[tokio::test(start_paused = true)]
async fn a_long_request_goes_out_while_old_replies_come_in() {
    let (client, mut peer) = pair(1024);
    let big = "x".repeat(1_000_000);
    let (answer, ()) = tokio::join!(client.execute(echo(&big)), async {
        peer.sync().await;
        peer.send("{\"return\": \"old\", \"id\": 1}\n".repeat(1000))
            .await;
        peer.answer_echo().await;
    });
    assert_eq!(answer.unwrap(), Value::String(big));
}

#[tokio::test(start_paused = true)]
async fn a_future_dropped_at_any_point_leaves_the_next_reply_with_its_own_command() {
    let mut finished = false;
    for polls in 0.. {
        let (client, mut peer) = pair(16);
        let agent = tokio::spawn(async move {
            loop {
                let request = peer.request().await;
                match request["execute"].as_str() {
                    Some("guest-sync-delimited") => {
                        peer.send(b"\xFF").await;
                        peer.send(reply(&request, &request["arguments"]["id"]))
                            .await;
                    }
                    _ => peer.send(echo_reply(&request)).await,
                }
            }
        });
        finished = poll_times(client.execute(echo("dropped")), polls).await;
        let answer = client.execute(echo("next")).await.unwrap();
        assert_eq!(answer, "next", "after {polls} polls");
        agent.abort();
        if finished {
            break;
        }
    }
    assert!(finished);
}

/// Polls a future so many times, then drops it; says whether it came to its end.
async fn poll_times<F: Future>(future: F, times: usize) -> bool {
    let mut future = Box::pin(future);
    for _ in 0..times {
        let polled =
            std::future::poll_fn(|cx| std::task::Poll::Ready(future.as_mut().poll(cx))).await;
        if polled.is_ready() {
            return true;
        }
        tokio::task::yield_now().await;
    }
    false
}

#[tokio::test(start_paused = true)]
async fn half_a_request_left_behind_is_ended_by_the_next_sync() {
    let (client, mut peer) = synced_pair().await;
    let big = Echo {
        text: "x".repeat(100_000),
    };
    assert!(!poll_times(client.execute(big), 1).await);
    let (answer, half) = tokio::join!(client.execute(echo("next")), async {
        let half = peer.request_bytes().await;
        let sync: Value = {
            let at = half.iter().position(|byte| *byte == 0xFF).unwrap();
            serde_json::from_slice(&half[at + 1..]).unwrap()
        };
        peer.send(crate::support::STRAY).await;
        peer.send(b"\xFF").await;
        peer.send(reply(&sync, &sync["arguments"]["id"])).await;
        peer.answer_echo().await;
        half
    });
    assert_eq!(answer.unwrap(), "next");
    assert!(half.starts_with(b"{\"execute\":\"test-echo\",\"arguments\":{\"text\":\"xxx"));
}
