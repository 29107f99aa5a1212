//! What is said of a channel that was lost, whose fault it is, and how it comes back.

use std::time::Duration;

use crate::host::{Door, Host};
use crate::support::{Ping, QUICK, chain, echo};
use qga_core::{
    ChannelState, Client, ClientBuilder, Error, ErrorKind, Execution, Options, RetryClass, Stage,
};
use tokio::net::{UnixListener, UnixSocket, UnixStream};
use tokio::time::{Instant, sleep, timeout};

const SECOND: Duration = Duration::from_secs(1);

fn quick(builder: ClientBuilder) -> ClientBuilder {
    builder.options(QUICK)
}

fn with_timeout(client: &Client, time: Duration) -> Client {
    client.with_options(client.options().timeout(time))
}

async fn fails(client: &Client) -> Error {
    client.execute(Ping).await.unwrap_err()
}

/// What an error says of where and what, and that nothing was sent.
fn what(error: &Error) -> (Stage, bool, bool) {
    assert_eq!(error.execution(), Execution::NotRun, "{error}");
    (error.stage(), error.is_timeout(), error.is_closed())
}

#[tokio::test(start_paused = true)]
async fn a_pause_tells_of_a_sync_that_is_not_answered_and_not_of_a_connection() {
    let (_host, client) = Host::lost(&[Door::Silent], quick).await;
    let silent = (Stage::Sync, true, false);
    let first = fails(&client).await;
    assert_eq!((what(&first), first.retry_after()), (silent, None));
    let second = fails(&client).await;
    assert_eq!(what(&second), silent);
    assert!(second.retry_after().is_some(), "{second}");
    let start = Instant::now();
    for _ in 0..3 {
        let paused = fails(&client).await;
        assert_eq!(what(&paused), silent);
        assert!(paused.retry_after() <= second.retry_after());
        assert_eq!(start.elapsed(), Duration::ZERO);
        let text = paused.to_string();
        assert!(
            text.contains("did not answer the sync within 10s"),
            "{text}"
        );
        assert!(text.contains("not tried again for "), "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_pause_tells_of_a_peer_that_hangs_up_and_of_one_that_refuses() {
    let closed = (Stage::Sync, false, true);
    let refused = (Stage::Connect, false, false);
    for (door, expected) in [(Door::HangsUp, closed), (Door::Refuses, refused)] {
        let (host, client) = Host::lost(&[door], quick).await;
        let mut pauses = Vec::new();
        for _ in 0..4 {
            let error = fails(&client).await;
            assert_eq!(what(&error), expected, "{error}");
            pauses.push(error.retry_after());
        }
        assert!(pauses[3].is_some());
        assert_eq!(host.reopened(), 2, "{door:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_message_of_a_pause_has_what_failed_and_for_how_long() {
    let (_host, client) = Host::lost(&[Door::Refuses], quick).await;
    for _ in 0..3 {
        fails(&client).await;
    }
    let text = chain(&fails(&client).await);
    assert!(
        text.starts_with("guest-ping: nobody listens there"),
        "{text}"
    );
    assert!(
        text.contains("; the channel is not tried again for 1"),
        "{text}"
    );
    assert!(text.ends_with("ms: connection refused"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn callers_with_little_time_start_no_pause_however_many_they_are() {
    let (host, client) = Host::lost(&[Door::Silent], quick).await;
    let impatient = with_timeout(&client, SECOND / 20);
    for _ in 0..50 {
        assert_eq!(fails(&impatient).await.retry_after(), None);
    }
    // As a question for health does, and a future that is dropped.
    let hasty = with_timeout(&client, 2 * SECOND);
    assert_eq!(fails(&hasty).await.retry_after(), None);
    timeout(4 * SECOND, client.execute(Ping)).await.unwrap_err();
    assert_eq!(host.reopened(), 1);
    host.doors(&[Door::Agent]);
    host.hang_up().await;
    client.execute(Ping).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_deadline_of_one_handle_is_not_told_to_others_by_a_pause() {
    let (_host, client) = Host::lost(&[Door::Silent], quick).await;
    for _ in 0..2 {
        let error = fails(&client.within(6 * SECOND)).await;
        assert!(error.is_deadline(), "{error}");
    }
    let error = fails(&client).await;
    assert!(error.retry_after().is_some(), "{error}");
    assert!(error.is_timeout() && !error.is_deadline(), "{error}");
}

#[tokio::test(start_paused = true)]
async fn callers_with_little_time_do_not_lengthen_a_pause() {
    let pauses = 4 * SECOND..=100 * SECOND;
    let build = |builder: ClientBuilder| quick(builder).pauses(pauses);
    let (_host, client) = Host::lost(&[Door::Silent], build).await;
    fails(&client).await;
    assert!(fails(&client).await.retry_after().unwrap() <= 4 * SECOND);
    sleep(4 * SECOND).await;
    let impatient = with_timeout(&client, SECOND);
    for _ in 0..5 {
        assert_eq!(fails(&impatient).await.retry_after(), None);
    }
}

#[tokio::test(start_paused = true)]
async fn the_silence_of_a_connection_that_was_given_up_is_no_failure_of_the_next() {
    let (host, client) = Host::client(&[Door::Silent], quick).await;
    host.goes_mute();
    let client = with_timeout(&client, 12 * SECOND);
    assert_eq!(
        client.execute(Ping).await.unwrap_err().stage(),
        Stage::Receive
    );
    // The second is given two seconds of the new connection, the others more than it takes.
    for pauses in [false, false, true] {
        assert_eq!(fails(&client).await.retry_after().is_some(), pauses);
    }
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_connection_that_was_kept_is_no_failure_of_the_next() {
    let (host, client) = Host::lost(&[Door::Silent], quick).await;
    let never = client.with_options(QUICK.timeout(6 * SECOND).retry(RetryClass::Never));
    fails(&never).await;
    host.doors(&[Door::Agent]);
    host.hang_up().await;
    never.execute(Ping).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_refusal_counts_whoever_hears_it() {
    let (_host, client) = Host::lost(&[Door::Refuses], quick).await;
    let impatient = with_timeout(&client, SECOND / 20);
    assert_eq!(fails(&impatient).await.retry_after(), None);
    assert!(fails(&impatient).await.retry_after().is_some());
}

#[tokio::test(start_paused = true)]
async fn callers_with_little_time_open_a_stream_together() {
    let door = Door::OpensAfter(7 * SECOND);
    let (host, client) = Host::lost(&[door, Door::Refuses], quick).await;
    let hasty = with_timeout(&client, 2 * SECOND);
    for _ in 0..3 {
        let error = fails(&hasty).await;
        assert_eq!(what(&error), (Stage::Connect, true, false), "{error}");
    }
    hasty.execute(Ping).await.unwrap();
    assert_eq!(host.reopened(), 1);
}

#[tokio::test(start_paused = true)]
async fn callers_with_little_time_synchronize_together() {
    let (host, client) = Host::lost(&[Door::Slow(3 * SECOND)], quick).await;
    let hasty = with_timeout(&client, 2 * SECOND);
    let mut failed = 0;
    // Once it is in step, the ping itself takes longer than there is time.
    while fails(&hasty).await.stage() == Stage::Sync {
        failed += 1;
        assert!(failed < 15, "it never comes in step");
    }
    assert!(host.reopened() <= 2);
}

#[tokio::test(start_paused = true)]
async fn a_slow_opening_is_not_begun_anew_by_a_dropped_future() {
    let door = Door::OpensAfter(3 * SECOND);
    let (host, client) = Host::lost(&[door, Door::Refuses], quick).await;
    for _ in 0..2 {
        timeout(SECOND, client.execute(Ping)).await.unwrap_err();
    }
    client.execute(Ping).await.unwrap();
    assert_eq!(host.reopened(), 1);
}

/// A timer that was begun in one runtime cannot be waited for in another.
#[test]
fn an_opening_is_begun_anew_in_another_runtime() {
    let runtime = || {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_all().start_paused(true).build().unwrap()
    };
    let first = runtime();
    let (host, client) = first.block_on(async {
        let doors = [Door::OpensAfter(3 * SECOND), Door::Agent];
        let (host, client) = Host::lost(&doors, quick).await;
        let error = fails(&with_timeout(&client, SECOND)).await;
        assert_eq!(error.stage(), Stage::Connect);
        (host, client)
    });
    drop(first);
    runtime().block_on(async { client.execute(Ping).await.unwrap() });
    assert_eq!(host.reopened(), 2);
}

#[tokio::test(start_paused = true)]
async fn what_the_other_side_says_ends_a_pause() {
    let pauses = 50 * SECOND..=50 * SECOND;
    let build = |builder: ClientBuilder| quick(builder.pauses(pauses).connect_timeout(9 * SECOND));
    let door = Door::Says("{\"return\": 1}\n", 25 * SECOND);
    let (host, client) = Host::lost(&[Door::Refuses, door], build).await;
    fails(&client).await;
    let error = fails(&client).await;
    assert_eq!(what(&error), (Stage::Sync, true, false));
    assert!(error.retry_after().is_some());
    sleep(10 * SECOND).await;
    assert!(fails(&client).await.retry_after().is_some());
    sleep(6 * SECOND).await;
    client.execute(Ping).await.unwrap();
    assert_eq!(host.reopened(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_channel_whose_agent_has_not_answered_since_it_was_lost_is_not_ready() {
    let (host, client) = Host::lost(&[Door::Silent], quick).await;
    fails(&client).await;
    match &*client.state().borrow() {
        ChannelState::Lost { cause } => assert!(cause.contains("the sync"), "{cause}"),
        state => panic!("{state:?}"),
    }
    host.doors(&[Door::Agent]);
    host.hang_up().await;
    client.execute(Ping).await.unwrap();
    assert_eq!(*client.state().borrow(), ChannelState::Ready);
}

#[tokio::test(start_paused = true)]
async fn a_connection_on_which_nothing_answers_is_given_up_for_another() {
    // One that was used before, one that was opened since, and both.
    let silent = [Door::Silent, Door::Silent, Door::Agent];
    for doors in [&silent[2..], &silent[1..], &silent] {
        let (host, client) = Host::client(&[Door::Agent], quick).await;
        host.doors(&[&[Door::Silent], doors].concat());
        host.hang_up().await;
        let start = Instant::now();
        while client.execute(Ping).await.is_err() {
            sleep(SECOND).await;
            assert!(start.elapsed() < 120 * SECOND, "{doors:?}");
        }
        assert_eq!(host.reopened(), doors.len() + 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_is_given_up_for_callers_with_little_time_too() {
    let (host, client) = Host::lost(&[Door::Silent, Door::Agent], quick).await;
    let hasty = with_timeout(&client, SECOND / 2);
    let start = Instant::now();
    while hasty.execute(Ping).await.is_err() {
        sleep(SECOND).await;
        assert!(start.elapsed() < 20 * SECOND);
    }
    assert_eq!(host.reopened(), 2);
}

#[tokio::test(start_paused = true)]
async fn one_command_with_time_enough_gives_up_and_is_answered() {
    let patient = |builder: ClientBuilder| builder.options(Options::new());
    let (host, client) = Host::lost(&[Door::Silent, Door::Agent], patient).await;
    let start = Instant::now();
    client.execute(Ping).await.unwrap();
    assert_eq!(host.reopened(), 2);
    assert!(start.elapsed() < 15 * SECOND, "{:?}", start.elapsed());
}

/// Each connection that is given up is in the queue of an agent that serves one client at a time.
#[tokio::test(start_paused = true)]
async fn silent_connections_are_given_up_ever_more_seldom() {
    let (host, client) = Host::lost(&[Door::Silent], quick).await;
    let start = Instant::now();
    while start.elapsed() < 600 * SECOND {
        fails(&client).await;
        sleep(SECOND).await;
    }
    let opened = host.reopened();
    assert!((6..=14).contains(&opened), "{opened} in ten minutes");
    // When it answered, the next silence is a first one again.
    host.doors(&[Door::Agent]);
    host.hang_up().await;
    sleep(30 * SECOND).await;
    client.execute(Ping).await.unwrap();
    host.doors(&[Door::Silent, Door::Agent]);
    host.hang_up().await;
    fails(&client).await;
    client.execute(Ping).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_says_something_is_not_given_up_before_it_was_asked_again() {
    let door = Door::Says("{\"return\": 1}\n", 15 * SECOND);
    let (host, client) = Host::lost(&[door, Door::Refuses], quick).await;
    fails(&with_timeout(&client, SECOND)).await;
    sleep(20 * SECOND).await;
    client.execute(Ping).await.unwrap();
    assert_eq!(host.reopened(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_has_ended_is_said_to_be_so_for_good() {
    let (ours, theirs) = tokio::io::duplex(64);
    let client = Client::builder()
        .options(QUICK.wait_for_channel(true))
        .build(ours);
    drop(theirs);
    let start = Instant::now();
    for _ in 0..2 {
        let error = fails(&client).await;
        assert!(error.is_permanent() && error.is_closed(), "{error:?}");
        let text = error.to_string();
        assert!(
            text.contains("a stream, which it cannot open again"),
            "{text}"
        );
    }
    let answer = client.pipeline([echo(1)]).next().await.unwrap();
    assert!(answer.unwrap_err().is_permanent());
    assert_eq!(start.elapsed(), Duration::ZERO);
    let (_host, client) = Host::lost(&[Door::HangsUp], quick).await;
    assert!(!fails(&client).await.is_permanent());
}

#[tokio::test(start_paused = true)]
async fn a_sync_shows_that_an_agent_is_there_whatever_may_be_sent() {
    let denied = |builder: ClientBuilder| quick(builder).allow::<&str>([]);
    let (host, client) = Host::lost(&[Door::Silent, Door::Agent], denied).await;
    let error = client.sync().await.unwrap_err();
    assert_eq!(what(&error), (Stage::Sync, true, false));
    assert_eq!(error.command(), None);
    client.sync().await.unwrap();
    // It asks, also where the channel is in step.
    host.goes_mute();
    assert!(client.sync().await.unwrap_err().is_timeout());
    let patient = client.with_options(QUICK.timeout(60 * SECOND).wait_for_channel(true));
    host.doors(&[Door::Refuses]);
    host.hang_up().await;
    let (synced, ()) = tokio::join!(patient.sync(), async {
        sleep(20 * SECOND).await;
        host.speaks_again();
        host.doors(&[Door::Agent]);
    });
    synced.unwrap();
    assert!(host.ran().is_empty());
}

#[tokio::test(start_paused = true)]
async fn only_what_a_client_is_made_to_refuse_is_refused_for_good() {
    let (ours, _theirs) = tokio::io::duplex(64);
    let client = Client::builder().deny(["guest-ping"]).build(ours);
    assert!(fails(&client).await.is_permanent());
    let (ours, _theirs) = tokio::io::duplex(64);
    let client = Client::new(ours);
    let _hold = client.hold("busy", |_| false);
    let error = fails(&client).await;
    assert!(error.is_not_allowed() && !error.is_permanent());
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_is_no_refusal() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("qga.sock");
    let listener = UnixSocket::new_stream().unwrap();
    listener.bind(&path).unwrap();
    let listener: UnixListener = listener.listen(0).unwrap();
    let client = Client::builder()
        .options(QUICK)
        .connect_lazy(&path)
        .unwrap();
    let mut queued = Vec::new();
    while let Ok(stream) = UnixStream::connect(&path).await {
        queued.push(stream);
    }
    for _ in 0..4 {
        let error = fails(&client).await;
        assert_eq!(what(&error), (Stage::Connect, true, false), "{error}");
        let text = error.to_string();
        assert!(text.contains("others wait there already"), "{text}");
    }
    drop(listener);
}

#[tokio::test]
async fn a_client_that_is_made_before_its_agent_connects_with_its_first_command() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("qga.sock");
    let client = Client::builder()
        .options(QUICK)
        .connect_lazy(&path)
        .unwrap();
    match &*client.state().borrow() {
        ChannelState::Lost { cause } => assert!(cause.contains("not been opened"), "{cause}"),
        state => panic!("{state:?}"),
    }
    let error = fails(&client).await;
    assert!(matches!(error.kind(), ErrorKind::Open(_)), "{error}");
    assert!(error.address().is_some());
    let listener = UnixListener::bind(&path).unwrap();
    let (pinged, ()) = tokio::join!(client.execute(Ping), async {
        let mut peer = crate::support::Peer::over(listener.accept().await.unwrap().0);
        peer.sync().await;
        peer.answer(serde_json::json!({})).await;
    });
    pinged.unwrap();
    let error = Client::builder().connect_lazy("vsock:3").unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Address(_)));
    let error = Client::builder().lock(true).connect_lazy("/none/qga.sock");
    assert_eq!(error.unwrap_err().stage(), Stage::Connect);
}
