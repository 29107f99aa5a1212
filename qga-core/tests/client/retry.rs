//! Commands that are sent again, and those that are not.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::support::{Peer, QUICK, chain, reply, synced_pair};
use qga_core::{Client, Error, ErrorKind, Execution, Options, QgaCommand, RetryClass, Stage};
use serde_json::{Value, json};
use tokio::net::UnixListener;

#[derive(QgaCommand)]
#[qga(name = "test-ask", response = Value, retry = Safe)]
struct Ask;

#[derive(QgaCommand)]
#[qga(name = "test-set", response = Value, retry = AfterResync)]
struct Set;

#[derive(QgaCommand)]
#[qga(name = "test-do", response = Value, check = "what test-ask says")]
struct Do;

/// Runs a command against an agent that closes the channel at the first `closes` requests and
/// answers the next. Says how many requests came.
async fn against_closes<C: QgaCommand<Response = Value>>(
    command: C,
    options: Options,
    closes: u32,
) -> (Result<Value, Error>, u32) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("qga.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let requests = AtomicU32::new(0);
    let agent = async {
        loop {
            let mut peer = Peer::over(listener.accept().await.unwrap().0);
            peer.sync().await;
            let request = peer.request().await;
            if requests.fetch_add(1, Ordering::Relaxed) >= closes {
                peer.send(reply(&request, &json!(7))).await;
                std::future::pending::<()>().await;
            }
        }
    };
    let run = async {
        let client = Client::builder().options(options).connect(&path).await;
        client.unwrap().execute(command).await
    };
    let result = tokio::select! {
        result = run => result,
        () = agent => unreachable!(),
    };
    (result, requests.load(Ordering::Relaxed))
}

#[tokio::test]
async fn a_command_is_sent_again_if_its_class_and_the_options_allow_it() {
    let with = |class| QUICK.retry(class);
    let (answer, sent) = against_closes(Ask, QUICK, 2).await;
    assert_eq!((answer.unwrap(), sent), (json!(7), 3));
    let (answer, sent) = against_closes(Set, with(RetryClass::AfterResync), 1).await;
    assert_eq!((answer.unwrap(), sent), (json!(7), 2));
    let sent_once = [
        against_closes(Ask, with(RetryClass::Never), 1).await,
        against_closes(Set, QUICK, 1).await,
        against_closes(Do, QUICK, 1).await,
        against_closes(Do, with(RetryClass::AfterResync), 1).await,
    ];
    for (answer, sent) in sent_once {
        let error = answer.unwrap_err();
        assert!(error.is_closed());
        assert_eq!((error.execution(), sent), (Execution::MaybeRun, 1));
    }
}

#[tokio::test]
async fn a_command_is_sent_three_times_at_most() {
    let (answer, sent) = against_closes(Ask, QUICK, 100).await;
    let error = answer.unwrap_err();
    assert!(error.is_closed());
    assert_eq!((error.execution(), sent), (Execution::MaybeRun, 3));
}

#[tokio::test(start_paused = true)]
async fn a_broken_reply_is_asked_for_again_after_a_sync() {
    for broken in ["{\"return\": 1, \"i\n", crate::support::STRAY] {
        let (client, mut peer) = synced_pair().await;
        let (answer, ()) = tokio::join!(client.execute(Ask), async {
            peer.request().await;
            peer.send(broken).await;
            peer.sync().await;
            peer.answer(json!(8)).await;
        });
        assert_eq!(answer.unwrap(), 8);
    }
}

#[tokio::test(start_paused = true)]
async fn after_a_timeout_and_a_reply_that_is_too_long_nothing_is_sent_again() {
    let (client, mut peer) = synced_pair().await;
    let (answer, _) = tokio::join!(client.execute(Ask), peer.request());
    assert!(answer.unwrap_err().is_timeout());
    assert!(peer.hears_nothing().await);

    let (client, mut peer) = synced_pair().await;
    let brief = client.with_options(QUICK.reply_limit(100));
    let (answer, ()) = tokio::join!(brief.execute(Ask), async {
        peer.request().await;
        peer.send("x".repeat(200)).await;
    });
    let error = answer.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::ReplyTooLong(100)));
    assert!(peer.hears_nothing().await);
}

#[tokio::test(start_paused = true)]
async fn all_tries_share_one_deadline() {
    let (client, mut peer) = synced_pair().await;
    let start = tokio::time::Instant::now();
    let (answer, ()) = tokio::join!(client.execute(Ask), async {
        for _ in 0..2 {
            peer.request().await;
            tokio::time::sleep(Duration::from_secs(4)).await;
            peer.send("broken\n").await;
            peer.sync().await;
        }
        peer.request().await;
    });
    let error = answer.unwrap_err();
    assert!(error.is_timeout(), "{error}");
    assert_eq!(start.elapsed(), Duration::from_secs(10));
}

#[tokio::test(start_paused = true)]
async fn what_may_have_run_before_is_not_forgotten() {
    let (client, mut peer) = synced_pair().await;
    let (answer, ()) = tokio::join!(client.execute(Ask), async {
        peer.request().await;
        peer.send("broken\n").await;
        peer.request().await;
        drop(peer);
    });
    let error = answer.unwrap_err();
    assert!(error.is_closed(), "{error}");
    assert_eq!(error.stage(), Stage::Sync);
    assert_eq!(error.execution(), Execution::MaybeRun);
}

#[tokio::test]
async fn a_command_that_was_not_sent_goes_out_through_the_new_channel() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("qga.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let accept = async || Peer::over(listener.accept().await.unwrap().0);
    let serve = async {
        let mut peer = accept().await;
        peer.sync().await;
        peer.request().await;
        peer.send("broken\n").await;
        // The channel ends in the sync that is due, before the command.
        peer.request().await;
        drop(peer);
        let mut peer = accept().await;
        peer.sync().await;
        peer.answer(json!(9)).await;
    };
    let run = async {
        let client = Client::builder().options(QUICK).connect(&path);
        let client = client.await.unwrap();
        client.execute(Do).await.unwrap_err();
        client.execute(Do).await
    };
    let (answer, ()) = tokio::join!(run, serve);
    assert_eq!(answer.unwrap(), 9);
}

#[tokio::test(start_paused = true)]
async fn an_error_says_what_to_check_where_a_command_may_have_run() {
    let (client, mut peer) = synced_pair().await;
    let (answer, ()) = tokio::join!(client.execute(Do), async {
        peer.request().await;
        peer.send("broken\n").await;
    });
    let error = answer.unwrap_err();
    assert_eq!(error.check(), Some("what test-ask says"));
    let text = chain(&error);
    assert!(
        text.ends_with("(the command may have run; check what test-ask says)"),
        "{text}"
    );
    let hold = client.hold("held", |_| false);
    let error = client.execute(Do).await.unwrap_err();
    assert_eq!(
        (error.execution(), error.check()),
        (Execution::NotRun, None)
    );
    drop(hold);
}

#[tokio::test(start_paused = true)]
async fn a_hold_between_two_tries_is_kept() {
    let (client, mut peer) = synced_pair().await;
    let (answer, ()) = tokio::join!(client.execute(Ask), async {
        peer.request().await;
        std::mem::forget(client.hold("frozen", |_| false));
        peer.send("broken\n").await;
    });
    let error = answer.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Malformed { .. }));
    assert_eq!(error.execution(), Execution::MaybeRun);
    assert!(peer.hears_nothing().await);
}

#[tokio::test(start_paused = true)]
async fn a_hold_in_the_sync_before_another_try_is_kept_and_the_first_error_told() {
    let (client, mut peer) = synced_pair().await;
    let (answer, hold) = tokio::join!(client.execute(Ask), async {
        peer.request().await;
        peer.send("broken\n").await;
        let sync = peer.request().await;
        let hold = client.hold("frozen", |_| false);
        peer.send(b"\xFF").await;
        peer.send(reply(&sync, &sync["arguments"]["id"])).await;
        hold
    });
    let error = answer.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Malformed { .. }));
    assert_eq!(error.execution(), Execution::MaybeRun);
    assert!(peer.hears_nothing().await);
    drop(hold);
}

#[tokio::test(start_paused = true)]
async fn a_reply_that_is_too_deep_or_has_too_long_a_list_is_not_asked_for_again() {
    for options in [QUICK.list_limit(2), QUICK.depth_limit(2)] {
        let (client, mut peer) = synced_pair().await;
        let limited = client.with_options(options);
        let (answer, ()) = tokio::join!(limited.execute(Ask), peer.answer(json!([[1], [2], [3]])));
        let error = answer.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Malformed { .. }));
        assert!(peer.hears_nothing().await);
    }
}
