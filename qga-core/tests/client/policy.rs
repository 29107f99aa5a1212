//! What is refused on the host: by what the client was made to allow, and while it is held.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use crate::support::{Peer, Ping, QUICK, echo, synced_pair};
use qga_core::{Client, ClientBuilder, Error, ErrorKind, Execution};
use serde_json::{Value, json};

/// As `join!`, for what may wait for ever when it goes wrong.
macro_rules! in_time {
    ($($future:expr),* $(,)?) => {{
        let joined = async { tokio::join!($($future),*) };
        tokio::time::timeout(Duration::from_secs(60), joined).await.unwrap()
    }};
}

fn restricted(restrict: impl FnOnce(ClientBuilder) -> ClientBuilder) -> (Client, Peer) {
    let (ours, theirs) = tokio::io::duplex(4096);
    let client = restrict(Client::builder().options(QUICK)).build(ours);
    (client, Peer::over(theirs))
}

fn assert_not_sent(error: &Error, reason: &str) {
    assert!(error.is_not_allowed(), "{error:?}");
    assert_eq!(error.execution(), Execution::NotRun);
    assert!(error.to_string().contains(reason), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_denied_command_is_never_sent_by_any_way() {
    let (client, mut peer) = restricted(|builder| builder.deny(["guest-exec", "test-echo"]));
    let by_type = client.execute(echo(1)).await.unwrap_err();
    assert_not_sent(
        &by_type,
        "test-echo: not sent: this client is made to deny it",
    );
    let by_name = client.execute_raw("guest-exec", json!({"path": "id"}));
    assert_not_sent(&by_name.await.unwrap_err(), "guest-exec: not sent");
    let mut pipeline = client.pipeline([echo(1), echo(2)]);
    for _ in 0..2 {
        let error = pipeline.next().await.unwrap().unwrap_err();
        assert_not_sent(&error, "test-echo: not sent");
    }
    assert!(pipeline.next().await.is_none());
    assert!(peer.hears_nothing().await);
}

#[tokio::test(start_paused = true)]
async fn only_allowed_commands_are_sent_and_denying_wins() {
    let (client, mut peer) = restricted(|builder| {
        let builder = builder.allow(["guest-ping"]).allow(["test-echo"]);
        builder.deny([String::from("test-echo")])
    });
    let error = client.execute(echo(1)).await.unwrap_err();
    assert_not_sent(&error, "made to deny it");
    let error = client.execute_raw("Guest-ping", Value::Null).await;
    assert_not_sent(&error.unwrap_err(), "allow other commands only");
    let (pinged, ()) = tokio::join!(client.execute(Ping), async {
        peer.sync().await;
        peer.answer(json!({})).await;
    });
    pinged.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_empty_list_allows_nothing() {
    let (client, mut peer) = restricted(|builder| builder.allow::<&str>([]));
    assert_not_sent(&client.execute(Ping).await.unwrap_err(), "other commands");
    assert!(peer.hears_nothing().await);
}

#[tokio::test(start_paused = true)]
async fn a_hold_is_for_all_clones_until_the_last_one_is_lifted() {
    let (client, mut peer) = synced_pair().await;
    let clone = client.clone();
    let first = client.hold("frozen", |command| command == "guest-ping");
    let second = clone.hold("busy", |_| false);
    let error = clone.execute(Ping).await.unwrap_err();
    assert_not_sent(&error, "guest-ping: not sent: busy");
    drop(second);
    assert_not_sent(&clone.execute(echo(1)).await.unwrap_err(), "frozen");
    let (pinged, ()) = tokio::join!(clone.execute(Ping), peer.answer(json!({})));
    pinged.unwrap();
    drop(first);
    let (answer, ()) = tokio::join!(clone.execute(echo(2)), peer.answer_echo());
    assert_eq!(answer.unwrap(), "2");
}

#[tokio::test(start_paused = true)]
async fn a_hold_stops_what_waits_for_the_channel_and_not_what_is_under_way() {
    let (client, mut peer) = synced_pair().await;
    let slow = tokio::spawn({
        let client = client.clone();
        async move { client.execute(echo("slow")).await }
    });
    let request = peer.request().await;
    let queued = tokio::spawn({
        let client = client.clone();
        async move { client.execute(echo("queued")).await }
    });
    tokio::time::sleep(Duration::from_millis(1)).await;
    let hold = client.hold("frozen", |_| false);
    peer.send(crate::support::echo_reply(&request)).await;
    assert_eq!(slow.await.unwrap().unwrap(), "slow");
    assert_not_sent(&queued.await.unwrap().unwrap_err(), "frozen");
    assert!(peer.hears_nothing().await);
    drop(hold);
}

#[tokio::test(start_paused = true)]
async fn a_held_command_fails_at_once_though_the_channel_is_taken() {
    let (client, mut peer) = synced_pair().await;
    let slow = tokio::spawn({
        let client = client.clone();
        async move { client.execute(echo("slow")).await }
    });
    peer.request().await;
    let _hold = client.hold("frozen", |_| false);
    let start = tokio::time::Instant::now();
    assert_not_sent(&client.execute(Ping).await.unwrap_err(), "frozen");
    let error = client.pipeline([echo(1)]).next().await.unwrap();
    assert!(matches!(
        error.unwrap_err().kind(),
        ErrorKind::NotAllowed(_)
    ));
    assert_eq!(start.elapsed(), Duration::ZERO);
    slow.abort();
}

#[tokio::test(start_paused = true)]
async fn a_hold_stops_a_pipeline_where_it_stands() {
    let (client, mut peer) = synced_pair().await;
    let mut pipeline = client.pipeline((0..10).map(echo)).in_flight(1);
    let (first, ()) = tokio::join!(pipeline.next(), peer.answer_echo());
    assert_eq!(first.unwrap().unwrap(), "0");
    let hold = client.hold("frozen", |_| false);
    assert_not_sent(&pipeline.next().await.unwrap().unwrap_err(), "frozen");
    drop(hold);
    let (next, ()) = tokio::join!(pipeline.next(), peer.answer_echo());
    assert_eq!(next.unwrap().unwrap(), "2");
}

#[tokio::test(start_paused = true)]
async fn a_hold_that_comes_while_a_command_synchronizes_keeps_it_back() {
    let (client, mut peer) = restricted(|builder| builder);
    let (answer, hold) = tokio::join!(client.execute(echo(1)), async {
        let hold = client.hold("frozen", |_| false);
        peer.sync().await;
        hold
    });
    assert_not_sent(&answer.unwrap_err(), "frozen");
    assert!(peer.hears_nothing().await);
    drop(hold);
    let (answer, ()) = tokio::join!(client.execute(echo(2)), peer.answer_echo());
    assert_eq!(answer.unwrap(), "2");
}

#[tokio::test(start_paused = true)]
async fn what_is_held_back_in_the_queue_does_not_wait_for_a_sync() {
    let (client, mut peer) = synced_pair().await;
    let mut slow = Box::pin(client.execute(echo("slow")));
    let mut queued = Box::pin(client.execute(echo("queued")));
    assert!(poll_once(&mut slow).await.is_pending());
    assert!(poll_once(&mut queued).await.is_pending());
    peer.request().await;
    let _hold = client.hold("frozen", |_| false);
    drop(slow);
    let start = tokio::time::Instant::now();
    assert_not_sent(&queued.await.unwrap_err(), "frozen");
    assert_eq!(start.elapsed(), Duration::ZERO);
    assert!(peer.hears_nothing().await);
}

async fn poll_once<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    poll_fn(|cx| Poll::Ready(Pin::new(&mut *future).poll(cx))).await
}

#[tokio::test(start_paused = true)]
async fn commands_wait_for_the_end_of_a_hold_that_ends_soon() {
    let (client, mut peer) = synced_pair().await;
    let hold = client.hold("frozen", |command| command == "guest-ping");
    hold.ends_soon();
    let mut pipeline = client.pipeline([echo("b"), echo("c")]);
    let ((a, b, c), ()) = in_time!(
        async {
            let ends = async {
                tokio::time::sleep(Duration::from_secs(5)).await;
                drop(hold);
            };
            let pipelined = async { (pipeline.next().await, pipeline.next().await) };
            let (a, (b, c), ()) = tokio::join!(client.execute(echo("a")), pipelined, ends);
            (a, b, c)
        },
        async {
            // What the hold lets pass does not wait.
            let (pinged, ()) = tokio::join!(client.execute(Ping), peer.answer(json!({})));
            pinged.unwrap();
            assert!(peer.hears_nothing().await);
            for _ in 0..3 {
                peer.answer_echo().await;
            }
        }
    );
    let answers = [a.unwrap(), b.unwrap().unwrap(), c.unwrap().unwrap()];
    assert_eq!(answers, ["a", "b", "c"]);
}

#[tokio::test(start_paused = true)]
async fn a_hold_that_does_not_end_in_a_commands_own_time_keeps_it_back() {
    let (client, mut peer) = synced_pair().await;
    let hold = client.hold("frozen", |_| false);
    hold.ends_soon();
    let start = tokio::time::Instant::now();
    let brief = client.with_options(QUICK.timeout(Duration::from_secs(3)));
    assert_not_sent(&brief.execute(echo(1)).await.unwrap_err(), "frozen");
    assert_eq!(start.elapsed(), Duration::from_secs(3));
    let error = brief.pipeline([echo(1)]).next().await.unwrap();
    assert_not_sent(&error.unwrap_err(), "frozen");
    assert_eq!(start.elapsed(), Duration::from_secs(6));
    // The time that was waited for it is not to be had again.
    let (answer, ()) = tokio::join!(client.execute(echo(1)), async {
        tokio::time::sleep(Duration::from_secs(8)).await;
        drop(hold);
        peer.request().await;
    });
    assert!(answer.unwrap_err().is_timeout());
    assert_eq!(start.elapsed(), Duration::from_secs(16));
}

#[tokio::test(start_paused = true)]
async fn another_hold_is_not_waited_for() {
    let (client, mut peer) = synced_pair().await;
    let ending = client.hold("frozen", |_| false);
    ending.ends_soon();
    let start = tokio::time::Instant::now();
    let lasting = client.hold("an update", |_| false);
    let error = client.execute(echo(1)).await.unwrap_err();
    assert_not_sent(&error, "an update");
    assert_eq!(start.elapsed(), Duration::ZERO);
    // One that comes while a command waits ends the waiting.
    drop(lasting);
    let (answer, lasting) = tokio::join!(client.execute(echo(2)), async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let lasting = client.hold("an update", |_| false);
        drop(ending);
        lasting
    });
    assert_not_sent(&answer.unwrap_err(), "an update");
    assert_eq!(start.elapsed(), Duration::from_secs(1));
    assert!(peer.hears_nothing().await);
    drop(lasting);
}

#[tokio::test(start_paused = true)]
async fn what_is_in_the_queue_when_a_hold_comes_waits_for_its_end() {
    let (client, mut peer) = synced_pair().await;
    let (answers, ()) = in_time!(
        async { tokio::join!(client.execute(echo("slow")), client.execute(echo("queued"))) },
        async {
            let request = peer.request().await;
            let hold = client.hold("frozen", |_| false);
            hold.ends_soon();
            peer.send(crate::support::echo_reply(&request)).await;
            assert!(peer.hears_nothing().await);
            drop(hold);
            peer.answer_echo().await;
        }
    );
    assert_eq!(answers.0.unwrap(), "slow");
    assert_eq!(answers.1.unwrap(), "queued");
}

#[tokio::test(start_paused = true)]
async fn a_pipeline_lets_go_of_the_channel_while_it_waits_for_the_end_of_a_hold() {
    let (client, mut peer) = synced_pair().await;
    let mut pipeline = client.pipeline((0..3).map(echo)).in_flight(1);
    let (first, ()) = tokio::join!(pipeline.next(), peer.answer_echo());
    assert_eq!(first.unwrap().unwrap(), "0");
    let hold = client.hold("frozen", |command| command == "guest-ping");
    hold.ends_soon();
    let ((next, pinged), ()) = in_time!(
        async { tokio::join!(pipeline.next(), client.execute(Ping)) },
        async {
            peer.answer(json!({})).await;
            drop(hold);
            peer.answer_echo().await;
        }
    );
    pinged.unwrap();
    assert_eq!(next.unwrap().unwrap(), "1");
}
