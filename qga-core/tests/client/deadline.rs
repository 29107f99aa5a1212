//! One deadline for several commands, connecting included.

use std::time::Duration;

use crate::support::{Peer, Ping, QUICK, echo, pair, synced_pair};
use qga_core::{Client, ErrorKind, Execution, Options, Stage};
use serde_json::json;
use tokio::runtime::Builder;
use tokio::time::{Instant, sleep};

const TEN: Duration = Duration::from_secs(10);

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

#[tokio::test(start_paused = true)]
async fn commands_share_a_deadline_and_the_one_that_hangs_is_named() {
    let (client, mut peer) = synced_pair().await;
    let patient = client.with_options(Options::new());
    let limited = patient.within(TEN);
    let start = Instant::now();
    let slow = async {
        let request = peer.request().await;
        sleep(seconds(6)).await;
        peer.send(crate::support::echo_reply(&request)).await;
    };
    let (answer, ()) = tokio::join!(limited.execute(echo("slow")), slow);
    answer.unwrap();
    let error = limited.execute(Ping).await.unwrap_err();
    assert_eq!(start.elapsed(), TEN);
    assert!(error.is_timeout() && error.is_deadline(), "{error:?}");
    assert_eq!(error.command(), Some("guest-ping"));
    assert_eq!(error.stage(), Stage::Receive);
    assert_eq!(error.execution(), Execution::MaybeRun);
    assert_eq!(
        error.to_string(),
        "guest-ping: no reply within 4s, which were left until the deadline for all commands of this \
         handle (the command may have run)"
    );
}

#[tokio::test(start_paused = true)]
async fn the_commands_own_timeout_stays_its_own() {
    let (client, _peer) = synced_pair().await;
    let limited = client
        .with_options(Options::new().timeout(seconds(3)))
        .within(TEN);
    let error = limited.execute(Ping).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Timeout(limit) if *limit == seconds(3)));
    assert!(error.is_timeout() && !error.is_deadline());
}

#[tokio::test(start_paused = true)]
async fn after_the_deadline_nothing_is_sent() {
    let (client, mut peer) = synced_pair().await;
    let limited = client.within(TEN);
    sleep(TEN).await;
    let error = limited.execute(Ping).await.unwrap_err();
    assert_eq!(error.execution(), Execution::NotRun);
    assert!(error.is_deadline());
    let text = "guest-ping: not begun: the deadline for all commands of this handle has passed";
    assert_eq!(error.to_string(), text);
    let mut pipeline = limited.pipeline([Ping, Ping]);
    let error = pipeline.next().await.unwrap().unwrap_err();
    assert!(error.is_deadline(), "{error:?}");
    drop(pipeline);
    assert!(peer.hears_nothing().await);
    let (answer, ()) = tokio::join!(client.execute(echo("on")), async {
        peer.answer_echo().await;
    });
    assert_eq!(answer.unwrap(), "on");
}

#[tokio::test(start_paused = true)]
async fn a_moment_can_be_a_deadline_and_nothing_is_sent_after_it() {
    let (client, mut peer) = crate::support::pair(1024);
    let now = Instant::now().into_std();
    let late = client.with_options(Options::new().deadline(now));
    let error = late.execute(Ping).await.unwrap_err();
    assert!(error.is_deadline(), "{error:?}");
    assert!(peer.hears_nothing().await);
    let limited = client.with_options(Options::new().deadline(now + TEN));
    let error = limited.execute(Ping).await.unwrap_err();
    assert_eq!((error.stage(), error.is_deadline()), (Stage::Sync, true));
}

#[tokio::test(start_paused = true)]
async fn a_deadline_within_another_never_lengthens_it() {
    let (client, _peer) = synced_pair().await;
    let start = Instant::now();
    let outer = client.within(TEN);
    let error = outer.within(seconds(60)).execute(Ping).await.unwrap_err();
    assert!(error.is_deadline());
    assert_eq!(start.elapsed(), TEN);
    let free = outer.with_options(outer.options().deadline(None));
    let error = free.execute(Ping).await.unwrap_err();
    assert!(error.is_timeout() && !error.is_deadline());
}

#[tokio::test(start_paused = true)]
async fn waiting_for_the_channel_counts_too() {
    let (client, _peer) = synced_pair().await;
    let other = client.clone();
    let busy = tokio::spawn(async move { other.execute(echo("slow")).await });
    tokio::task::yield_now().await;
    let error = client.within(seconds(2)).execute(Ping).await.unwrap_err();
    assert_eq!((error.stage(), error.is_deadline()), (Stage::Queue, true));
    let text = "guest-ping: other commands held the channel for 2s, which were left until";
    assert!(error.to_string().starts_with(text), "{error}");
    busy.abort();
}

#[tokio::test(start_paused = true)]
async fn the_results_of_a_pipeline_share_a_deadline() {
    let (client, mut peer) = synced_pair().await;
    let limited = client.within(TEN);
    let mut pipeline = limited.pipeline([echo(1), echo(2)]);
    let first = async {
        sleep(seconds(7)).await;
        peer.answer_echo().await;
    };
    let (answer, ()) = tokio::join!(pipeline.next(), first);
    assert_eq!(answer.unwrap().unwrap(), "1");
    let start = Instant::now();
    let error = pipeline.next().await.unwrap().unwrap_err();
    assert!(error.is_deadline(), "{error:?}");
    assert_eq!(start.elapsed(), seconds(3));
}

/// Opens streams whose other ends answer a sync after so many seconds, and then say nothing.
async fn connect(builder: qga_core::ClientBuilder, after: u64) -> Result<Client, qga_core::Error> {
    let open = move || async move {
        let (ours, theirs) = tokio::io::duplex(1024);
        tokio::spawn(async move {
            let mut peer = Peer::over(theirs);
            sleep(seconds(after)).await;
            peer.sync().await;
            sleep(seconds(3600)).await;
        });
        Ok(ours)
    };
    builder.connect_with(open).await
}

#[tokio::test(start_paused = true)]
async fn connecting_counts_from_when_it_begins() {
    let builder = Client::builder().within(TEN);
    sleep(seconds(60)).await;
    let start = Instant::now();
    let client = connect(builder, 0).await.unwrap();
    sleep(seconds(6)).await;
    let error = client.execute(Ping).await.unwrap_err();
    assert!(error.is_deadline(), "{error:?}");
    assert_eq!(start.elapsed(), TEN);
}

#[tokio::test(start_paused = true)]
async fn connecting_ends_at_the_deadline_or_at_its_own_limit() {
    let start = Instant::now();
    let error = connect(Client::builder().within(seconds(2)), 60)
        .await
        .unwrap_err();
    assert_eq!((error.stage(), error.is_deadline()), (Stage::Sync, true));
    assert_eq!(start.elapsed(), seconds(2));
    let error = connect(Client::builder().within(TEN), 60)
        .await
        .unwrap_err();
    assert_eq!((error.is_timeout(), error.is_deadline()), (true, false));
    assert_eq!(start.elapsed(), seconds(7));
}

#[test]
fn a_thread_that_blocks_on_one_runtime_after_another_meets_its_deadlines() {
    let runtime = |mut builder: Builder| builder.enable_all().build().unwrap();
    let idle = runtime(Builder::new_current_thread());
    let running = runtime(Builder::new_multi_thread());
    let (client, mut peer) = pair(4096);
    running.spawn(async move {
        peer.sync().await;
        peer.answer(json!({})).await;
        peer.request().await;
        std::future::pending::<()>().await;
    });
    let with_millis =
        move |millis| client.with_options(QUICK.timeout(Duration::from_millis(millis)));

    let (done, is_done) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        // Nobody drives the timers of this one.
        let first = with_millis(500);
        idle.handle().block_on(first.execute(Ping)).unwrap();
        let second = with_millis(1000);
        done.send(running.block_on(second.execute(Ping)))
    });
    let result = is_done.recv_timeout(Duration::from_secs(10));
    assert!(result.unwrap().unwrap_err().is_timeout());
}

#[tokio::test(start_paused = true)]
async fn what_is_first_awaited_after_the_deadline_is_not_sent() {
    let (client, mut peer) = synced_pair().await;
    let limited = client.within(seconds(1));
    let late = limited.execute(echo("late"));
    sleep(seconds(2)).await;
    let error = late.await.unwrap_err();
    assert!(error.is_deadline(), "{error}");
    assert_eq!(error.execution(), Execution::NotRun);
    assert_eq!(error.stage(), Stage::Queue);
    let patient = client.with_options(Options::new());
    let (answer, request) = tokio::join!(patient.execute(echo("next")), async {
        let request = peer.request().await;
        peer.send(crate::support::echo_reply(&request)).await;
        request
    });
    answer.unwrap();
    assert_eq!(request["arguments"]["text"], "next");
}

/// Tokio gives a task a budget; with nothing left of it, it sets no timers.
async fn spend(budget: usize) {
    for _ in 0..budget {
        tokio::task::coop::consume_budget().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_command_ends_in_time_however_much_its_task_has_done_before() {
    for budget in 0..=130 {
        let (client, _peer) = synced_pair().await;
        let task = tokio::spawn(async move {
            let brief = client.with_options(Options::new().timeout(TEN));
            spend(budget).await;
            brief.execute(Ping).await
        });
        let ended = tokio::time::timeout(TEN * 3, task).await;
        let error = ended
            .unwrap_or_else(|_| panic!("after {budget}"))
            .unwrap()
            .unwrap_err();
        assert!(error.is_timeout(), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_command_that_queues_ends_in_time_however_much_its_task_has_done_before() {
    for budget in 0..=130 {
        let (client, _peer) = synced_pair().await;
        let first = client.with_options(Options::new().timeout(TEN * 100));
        let holding = tokio::spawn(async move { first.execute(Ping).await });
        tokio::task::yield_now().await;
        let task = tokio::spawn(async move {
            let brief = client.with_options(Options::new().timeout(TEN));
            spend(budget).await;
            brief.execute(Ping).await
        });
        let ended = tokio::time::timeout(TEN * 3, task).await;
        let error = ended
            .unwrap_or_else(|_| panic!("after {budget}"))
            .unwrap()
            .unwrap_err();
        assert!(error.is_timeout(), "{error}");
        holding.abort();
    }
}
