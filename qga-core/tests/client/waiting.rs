//! Commands that wait for a channel that was lost.

use std::time::Duration;

use crate::host::{Door, Host};
use crate::support::{Peer, Ping, QUICK, echo};
use qga_core::{Client, ClientBuilder, Options, QgaCommand, Stage};
use serde_json::Value;
use tokio::time::{Instant, sleep};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

#[derive(QgaCommand)]
#[qga(name = "test-ask", response = Value, retry = Safe)]
struct Ask;

fn waiting(client: &Client, time: Duration) -> Client {
    client.with_options(QUICK.timeout(time).wait_for_channel(true))
}

fn long_pauses(builder: ClientBuilder) -> ClientBuilder {
    builder.options(QUICK).pauses(30 * SECOND..=30 * SECOND)
}

/// A client that pauses.
async fn pausing() -> (Host, Client) {
    let (host, client) = Host::lost(&[Door::Refuses], long_pauses).await;
    for _ in 0..2 {
        client.execute(Ping).await.unwrap_err();
    }
    (host, client)
}

async fn comes_back(host: &Host, after: Duration) {
    sleep(after).await;
    host.doors(&[Door::Agent]);
}

#[tokio::test(start_paused = true)]
async fn a_command_that_waits_runs_when_the_channel_is_back() {
    for door in [Door::Refuses, Door::HangsUp, Door::Silent] {
        let (host, client) = Host::lost(&[door], |builder| builder.options(QUICK)).await;
        let patient = waiting(&client, 2 * MINUTE);
        let start = Instant::now();
        let (pinged, ()) = tokio::join!(patient.execute(Ping), comes_back(&host, 40 * SECOND));
        pinged.unwrap();
        assert!(start.elapsed() < 80 * SECOND, "{:?}", start.elapsed());
        assert_eq!(host.ran(), ["guest-ping"]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_pause_does_not_keep_those_who_wait_from_a_channel_that_is_back() {
    let (host, client) = pausing().await;
    host.doors(&[Door::Agent]);
    assert!(
        client
            .execute(Ping)
            .await
            .unwrap_err()
            .retry_after()
            .is_some()
    );
    let start = Instant::now();
    waiting(&client, MINUTE).execute(Ping).await.unwrap();
    assert!(start.elapsed() <= 2 * SECOND, "{:?}", start.elapsed());
    // And with them the pause ends for all.
    client.execute(Ping).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_less_than_the_pause_tries_at_once() {
    let (host, client) = pausing().await;
    host.doors(&[Door::Agent]);
    waiting(&client, SECOND).execute(Ping).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn who_waits_in_vain_is_told_what_fails_when_the_time_is_up_and_not_before() {
    let (host, client) = pausing().await;
    let start = Instant::now();
    let error = waiting(&client, MINUTE).execute(Ping).await.unwrap_err();
    assert_eq!(error.stage(), Stage::Connect);
    assert!(
        !error.is_timeout() && error.retry_after().is_some(),
        "{error}"
    );
    let took = start.elapsed();
    assert!((57 * SECOND..=MINUTE).contains(&took), "{took:?}");
    // It was tried seldom.
    assert!((20..40).contains(&host.reopened()), "{}", host.reopened());
}

#[tokio::test(start_paused = true)]
async fn many_who_wait_try_together() {
    let (host, client) = pausing().await;
    let tasks: Vec<_> = (0..100)
        .map(|_| {
            let patient = waiting(&client, MINUTE);
            tokio::spawn(async move { patient.execute(Ping).await })
        })
        .collect();
    comes_back(&host, 50 * SECOND).await;
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    assert!(host.reopened() < 40, "{}", host.reopened());
}

#[tokio::test(start_paused = true)]
async fn who_waits_does_not_keep_the_channel_from_others_meanwhile() {
    let (_host, client) = pausing().await;
    let patient = waiting(&client, MINUTE);
    let task = tokio::spawn(async move { patient.execute(Ping).await });
    sleep(SECOND / 2).await;
    let start = Instant::now();
    let error = client.execute(Ping).await.unwrap_err();
    assert_eq!(
        (error.stage(), start.elapsed()),
        (Stage::Connect, Duration::ZERO)
    );
    task.await.unwrap().unwrap_err();
}

#[tokio::test(start_paused = true)]
async fn a_pipeline_waits_too() {
    let (host, client) = pausing().await;
    let patient = waiting(&client, MINUTE);
    let mut pipeline = patient.pipeline([echo(1), echo(2)]);
    let (first, ()) = tokio::join!(pipeline.next(), comes_back(&host, 20 * SECOND));
    assert_eq!(first.unwrap().unwrap(), "1");
    assert_eq!(pipeline.next().await.unwrap().unwrap(), "2");
}

/// A host that answers syncs and hangs up at each request.
async fn hangs_up_at_requests(options: Options) -> (Client, tokio::sync::mpsc::Receiver<()>) {
    let (sent, requests) = tokio::sync::mpsc::channel(100);
    let open = move || {
        let (ours, theirs) = tokio::io::duplex(4096);
        let sent = sent.clone();
        tokio::spawn(async move {
            let mut peer = Peer::over(theirs);
            peer.sync().await;
            peer.request().await;
            sent.send(()).await.unwrap();
        });
        async move { Ok(ours) }
    };
    let client = Client::builder().options(options).connect_with(open).await;
    (client.unwrap(), requests)
}

#[tokio::test(start_paused = true)]
async fn a_command_is_not_sent_more_often_for_waiting() {
    let patient = QUICK.timeout(MINUTE).wait_for_channel(true);
    let (client, mut requests) = hangs_up_at_requests(patient).await;
    assert!(client.execute(Ask).await.unwrap_err().is_closed());
    let mut sent = 0;
    while requests.try_recv().is_ok() {
        sent += 1;
    }
    assert_eq!(sent, 3);
    assert!(client.execute(Ping).await.unwrap_err().is_closed());
    assert!(requests.try_recv().is_ok() && requests.try_recv().is_err());
}

#[tokio::test(start_paused = true)]
async fn a_question_whose_channel_was_lost_waits_and_is_asked_again() {
    let (host, client) = Host::client(&[Door::Refuses], |builder| builder.options(QUICK)).await;
    // The agent takes the question along.
    host.doors(&[Door::Slow(5 * SECOND), Door::Refuses]);
    host.hang_up().await;
    let patient = waiting(&client, 2 * MINUTE);
    let (answer, ()) = tokio::join!(patient.execute(Ask), async {
        sleep(7 * SECOND).await;
        host.hang_up().await;
        comes_back(&host, 20 * SECOND).await;
    });
    answer.unwrap();
}

#[tokio::test(start_paused = true)]
async fn waiting_is_off_unless_it_is_set() {
    let (_host, client) = pausing().await;
    for options in [Options::new(), Options::default(), QUICK] {
        let start = Instant::now();
        client
            .with_options(options)
            .execute(Ping)
            .await
            .unwrap_err();
        assert_eq!(start.elapsed(), Duration::ZERO);
    }
}
