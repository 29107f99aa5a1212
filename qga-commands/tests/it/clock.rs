//! How far the guest's clock is off, and setting it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::support::faults::{TIMEOUT, can_be_done_again};
use qga_commands::{Guest, GuestError, GuestTime};
use qga_core::{Client, Execution, Options};
use qga_testserver::{Fault, TestAgent};
use serde_json::{Value, json};

const HOUR: Duration = Duration::from_secs(3600);

/// What a test may take at most, and a guest's clock may so go on while it runs.
const SLACK: Duration = Duration::from_secs(60);

fn now() -> i64 {
    GuestTime::try_from(SystemTime::now()).unwrap().as_nanos()
}

/// A guest whose clock goes, this far from the host's.
fn guest(ahead: i64) -> (TestAgent, Arc<AtomicI64>, Guest) {
    let (agent, stream) = TestAgent::in_memory();
    let offset = Arc::new(AtomicI64::new(ahead));
    let clock = Arc::clone(&offset);
    agent
        .on("guest-get-time")
        .reply_with(move |_| json!(now() + clock.load(Ordering::SeqCst)));
    let clock = Arc::clone(&offset);
    agent.on("guest-set-time").reply_with(move |request| {
        let time = request.arguments.get("time");
        if let Some(time) = time.and_then(Value::as_i64) {
            clock.store(time - now(), Ordering::SeqCst);
        }
        json!({})
    });
    let options = Options::new().timeout(TIMEOUT);
    let client = Client::builder().options(options).build(stream);
    (agent, offset, Guest::new(client))
}

fn nanos(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_clock_is_ahead_or_behind() {
    for (ahead, word) in [(nanos(HOUR), "ahead"), (-nanos(HOUR), "behind")] {
        let (_agent, _clock, guest) = guest(ahead);
        let offset = guest.clock_offset().await.unwrap();
        assert!((offset.as_nanos() - ahead).abs() < nanos(SLACK));
        assert!(offset.apart().abs_diff(HOUR) < SLACK);
        assert!(offset.to_string().contains(word), "{offset}");
    }
}

#[tokio::test(start_paused = true)]
async fn half_of_the_way_is_uncertain_and_the_quickest_answer_counts() {
    let (agent, _clock, guest) = guest(nanos(HOUR));
    let slow = Fault::delay(Duration::from_secs(4));
    let quick = Fault::delay(Duration::ZERO);
    agent.on("guest-get-time").fault(slow.clone());
    let offset = guest.clock_offset().await.unwrap();
    assert_eq!(offset.uncertainty(), Duration::from_secs(2));
    agent
        .on("guest-get-time")
        .up_to(1)
        .expect(1)
        .fault(quick.clone());
    let first = guest.clock_offset().await.unwrap();
    // The agent is still at the second question, which was given up.
    tokio::time::sleep(Duration::from_secs(4)).await;
    agent.on("guest-get-time").fault(quick);
    agent.on("guest-get-time").up_to(2).expect(2).fault(slow);
    let last = guest.clock_offset().await.unwrap();
    for offset in [first, last] {
        assert!(offset.uncertainty() < Duration::from_secs(1), "{offset}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_clock_is_set_to_the_hosts_and_what_remains_is_told() {
    for ahead in [nanos(HOUR), -nanos(HOUR)] {
        let (agent, clock, guest) = guest(ahead);
        let offset = guest.sync_time().await.unwrap();
        assert!(offset.apart() < SLACK, "{offset}");
        assert!(clock.load(Ordering::SeqCst).abs() < nanos(SLACK));
        assert!(!agent.requests_of("guest-set-time").is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn a_time_that_was_old_on_arrival_is_set_anew() {
    let (agent, clock, guest) = guest(0);
    let late = Arc::clone(&clock);
    agent
        .on("guest-set-time")
        .up_to(1)
        .expect(1)
        .reply_with(move |_| {
            late.store(-nanos(HOUR), Ordering::SeqCst);
            json!({})
        });
    let offset = guest.sync_time().await.unwrap();
    assert!(offset.apart() < SLACK, "{offset}");
    let sent = agent.requests_of("guest-set-time");
    assert!(sent[0].arguments["time"].as_i64() < sent[1].arguments["time"].as_i64());
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_cannot_be_set_comes_to_an_end() {
    let (agent, _clock, guest) = guest(nanos(HOUR));
    agent.on("guest-set-time").reply(json!({}));
    let offset = guest.sync_time().await.unwrap();
    assert!(offset.apart() + SLACK > HOUR);
    assert_eq!(agent.requests_of("guest-set-time").len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_time_whose_reply_is_lost_is_not_sent_again() {
    let (agent, _clock, guest) = guest(0);
    agent.on("guest-set-time").fault(Fault::no_answer());
    for error in [
        guest.sync_time().await.map(drop).unwrap_err(),
        guest.set_time(SystemTime::now()).await.unwrap_err(),
        guest.set_time_from_hardware().await.unwrap_err(),
    ] {
        assert_eq!(error.execution(), Execution::MaybeRun);
    }
    assert_eq!(agent.requests_of("guest-set-time").len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_was_set_and_then_not_looked_at_is_a_part() {
    let (agent, _clock, guest) = guest(0);
    agent.on("guest-get-time").error("CommandNotFound", "no");
    let error = guest.sync_time().await.unwrap_err();
    assert_eq!(error.execution(), Execution::Answered);
    assert!(matches!(error, GuestError::Partial { done: 1, of: 2, .. }));
    assert_eq!(agent.requests_of("guest-set-time").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_was_set_late_and_then_not_again_is_a_part() {
    let (agent, _clock, guest) = guest(nanos(HOUR));
    agent.on("guest-set-time").error("GenericError", "no");
    agent
        .on("guest-set-time")
        .up_to(1)
        .expect(1)
        .reply(json!({}));
    let error = guest.sync_time().await.unwrap_err();
    assert!(matches!(error, GuestError::Partial { done: 1, of: 2, .. }));
    assert_eq!(error.execution(), Execution::Answered);
    assert_eq!(agent.requests_of("guest-set-time").len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_time_is_set_to_the_nanosecond_or_from_the_hardware() {
    let (agent, _clock, guest) = guest(0);
    let time = UNIX_EPOCH + Duration::new(1_800_000_000, 123_456_700);
    guest.set_time(time).await.unwrap();
    guest.set_time_from_hardware().await.unwrap();
    let sent = agent.requests_of("guest-set-time");
    assert_eq!(sent[0].arguments["time"], 1_800_000_000_123_456_700_i64);
    assert!(sent[1].arguments["time"].is_null());
}

#[tokio::test(start_paused = true)]
async fn a_time_out_of_reach_is_not_sent() {
    let (agent, _clock, guest) = guest(0);
    let far = UNIX_EPOCH + Duration::from_secs(300 * 365 * 86_400);
    let error = guest.set_time(far).await.unwrap_err();
    assert!(matches!(error, GuestError::InvalidInput(_)), "{error}");
    assert!(agent.requests().is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_first_and_the_last_time_of_a_guest_are_told() {
    for time in [i64::MIN, i64::MAX] {
        let (agent, _clock, guest) = guest(0);
        agent.on("guest-get-time").reply(time);
        let offset = guest.clock_offset().await.unwrap();
        assert_eq!(offset.as_nanos() < 0, time < 0, "{offset}");
        assert!(offset.apart() > HOUR);
    }
}

#[tokio::test(start_paused = true)]
async fn the_clock_can_be_set_again_after_any_fault() {
    can_be_done_again(
        7 * TIMEOUT,
        |_| {},
        async |guest: &Guest| guest.sync_time().await,
        |agent| agent.guest().time.abs_diff(now()) < nanos(HOUR).unsigned_abs(),
    )
    .await;
}
