//! Work on a frozen guest that is ended early.

use std::cell::Cell;
use std::future::{pending, poll_fn, ready};
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use crate::support;
use qga_commands::Guest;
use qga_commands::guest::freeze::WorkOutcome;
use qga_core::Client;
use qga_testserver::{Fault, TestAgent};
use tokio::time::sleep;

const FREEZE: &str = "guest-fsfreeze-freeze";
const THAW: &str = "guest-fsfreeze-thaw";
const SECOND: Duration = Duration::from_secs(1);

fn guest() -> (TestAgent, Guest) {
    let (agent, stream) = TestAgent::in_memory();
    (agent, Guest::new(Client::new(stream)))
}

/// Says whether the guest was frozen when the work was dropped.
struct Snapshot<'a>(&'a TestAgent, &'a Cell<Option<bool>>);

impl Drop for Snapshot<'_> {
    fn drop(&mut self) {
        self.1.set(Some(self.0.guest().frozen));
    }
}

#[tokio::test(start_paused = true)]
async fn a_signal_drops_the_work_and_then_thaws() {
    let (agent, guest) = guest();
    let dropped = Cell::new(None);
    let work = async || {
        let _snapshot = Snapshot(&agent, &dropped);
        pending::<()>().await;
    };
    let signal = async {
        sleep(SECOND).await;
        "SIGTERM"
    };
    let (outcome, thawed) = guest.while_frozen(work).until(signal).await.unwrap();
    assert_eq!(outcome, WorkOutcome::Stopped("SIGTERM"));
    assert!(thawed.unwrap().is_complete() && !agent.guest().frozen);
    assert_eq!(
        dropped.get(),
        Some(true),
        "dropped after the thaw, or never"
    );
    guest.host_name().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn work_that_is_done_before_the_signal_is_finished() {
    let (agent, guest) = guest();
    for (at, then) in [(1, 2), (1, 1)] {
        let work = async || {
            sleep(SECOND * at).await;
            "snapshot-1"
        };
        let (outcome, thawed) = guest
            .while_frozen(work)
            .until(sleep(SECOND * then))
            .await
            .unwrap();
        assert_eq!(outcome.finished(), Some("snapshot-1"));
        assert!(thawed.unwrap().is_complete() && !agent.guest().frozen);
    }
}

#[tokio::test(start_paused = true)]
async fn a_signal_that_is_there_already_freezes_nothing() {
    let (agent, guest) = guest();
    let (outcome, thawed) = guest
        .while_frozen(async || ())
        .until(ready(2))
        .await
        .unwrap();
    assert_eq!(outcome, WorkOutcome::Stopped(2));
    assert!(thawed.unwrap().is_complete());
    assert!(agent.requests().is_empty());
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_a_signal_listens_before_anything_is_sent() {
    let (agent, guest) = guest();
    let listens = Cell::new(false);
    let signal = poll_fn(|_| {
        assert!(listens.get() || agent.requests().is_empty());
        listens.set(true);
        Poll::<()>::Pending
    });
    let (outcome, thawed) = guest.while_frozen(async || ()).until(signal).await.unwrap();
    assert!(listens.get() && outcome.finished().is_some());
    thawed.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_signal_while_the_agent_freezes_undoes_the_freeze_before_it_is_told() {
    let (agent, guest) = guest();
    agent.on(FREEZE).fault(Fault::delay(SECOND * 10));
    let work = async || unreachable!("the work was begun");
    let (outcome, thawed) = guest.while_frozen(work).until(sleep(SECOND)).await.unwrap();
    assert_eq!(outcome, WorkOutcome::<(), ()>::Stopped(()));
    assert!(thawed.unwrap().is_complete() && !agent.guest().frozen);
    assert_eq!(agent.requests_of(THAW).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn work_that_must_stay_on_its_thread_can_be_done() {
    let (_agent, guest) = guest();
    let here = Rc::new(7);
    let work = async || *here;
    let (outcome, thawed) = guest
        .while_frozen(work)
        .until(pending::<()>())
        .await
        .unwrap();
    assert_eq!(outcome.finished(), Some(7));
    assert!(thawed.unwrap().is_complete());
}

#[tokio::test(start_paused = true)]
async fn any_fault_at_any_message_and_a_signal_leave_the_guest_thawed() {
    for seconds in [1, 4, 7] {
        support::faults::at_every_message(
            Duration::from_secs(180),
            |_| {},
            async |guest| {
                let signal = sleep(SECOND * seconds);
                let work = async || sleep(SECOND * 2).await;
                let result = guest.while_frozen(work).until(signal).await;
                sleep(Duration::from_secs(30)).await;
                result
            },
            |agent, context, _| {
                assert!(
                    !agent.guest().frozen,
                    "{context}, a signal after {seconds} s"
                );
                assert!(agent.requests_of(FREEZE).len() <= 1, "{context}");
            },
        )
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_cancel_at_any_point_beside_a_signal_leaves_the_guest_thawed() {
    support::faults::dropped_at_every_poll(
        Duration::from_secs(30),
        |_| {},
        async |guest| {
            let signal = sleep(SECOND);
            guest.while_frozen(pending::<()>).until(signal).await
        },
        async |agent, guest, context| {
            assert!(!agent.guest().frozen, "{context}");
            guest.host_name().await.unwrap();
        },
    )
    .await;
}
