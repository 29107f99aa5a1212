//! How long a guest may hold its place.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::{Alive, Ping, answering, names, silent};
use qga_core::fleet::FailureKind;
use qga_core::{Execution, Stage};
use qga_testserver::Fault;
use tokio::time::{Instant, sleep};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn a_guest_that_hangs_fails_when_its_time_is_over_and_is_named_with_the_command() {
    let (fleet, agents) = answering(3);
    agents[1].on("guest-ping").fault(Fault::no_answer());
    let fleet = fleet.per_guest(2 * SECOND);
    let mut run = fleet.run(|client| async move { client.execute(Ping).await });
    let mut late = None;
    while let Some(guest) = run.next().await {
        late = guest
            .result
            .err()
            .map(|error| (guest.name, guest.took, error));
    }
    let (name, took, error) = late.unwrap();
    assert_eq!((&*name, took), ("vm1", 2 * SECOND));
    assert!(error.is_deadline());
    assert_eq!(
        (error.command(), error.stage()),
        (Some("guest-ping"), Stage::Receive)
    );
    assert_eq!(run.summary().failed(FailureKind::Timeout), 1);
}

#[tokio::test(start_paused = true)]
async fn the_time_is_for_all_commands_of_a_guest_together() {
    let (fleet, agents) = answering(1);
    agents[0].on("guest-ping").fault(Fault::delay(SECOND));
    let fleet = fleet.per_guest(5 * SECOND / 2);
    let done = AtomicUsize::new(0);
    let done = &done;
    let mut run = fleet.run(|client| async move {
        for _ in 0..9 {
            client.execute(Ping).await?;
            done.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    });
    let guest = run.next().await.unwrap();
    assert!(guest.result.unwrap_err().is_deadline());
    assert_eq!(guest.took, 5 * SECOND / 2);
    assert_eq!(done.load(Ordering::Relaxed), 2);
}

#[tokio::test(start_paused = true)]
async fn each_guest_has_its_time_from_when_it_is_begun() {
    let (fleet, _peers) = silent(4);
    let fleet = fleet.concurrency(1).per_guest(3 * SECOND);
    let mut run = fleet.run(|_| async {
        sleep(2 * SECOND).await;
        Ok(())
    });
    while let Some(guest) = run.next().await {
        guest.result.unwrap();
    }
    assert_eq!(run.summary().answered(), 4);
}

#[tokio::test(start_paused = true)]
async fn guests_that_hang_take_their_time_once_for_each_that_may_be_asked_at_a_time() {
    let (fleet, agents) = answering(100);
    for agent in &agents[..20] {
        agent.on("guest-ping").fault(Fault::no_answer());
    }
    let start = Instant::now();
    let fleet = fleet.concurrency(10).per_guest(SECOND);
    let run = fleet.run(|client| async move { client.execute(Ping).await });
    assert_eq!(names(run).await.len(), 100);
    // 20 that hang, 10 at a time, for a second each.
    assert_eq!(start.elapsed(), 2 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn work_that_waits_for_something_else_than_a_command_is_dropped_after_its_time() {
    let (fleet, _peers) = silent(1);
    let alive = AtomicUsize::new(0);
    let fleet = fleet.per_guest(SECOND);
    let mut run = fleet.run(|_| async {
        let _alive = Alive::new(&alive);
        std::future::pending::<Result<(), _>>().await
    });
    let guest = run.next().await.unwrap();
    let error = guest.result.unwrap_err();
    assert_eq!(alive.load(Ordering::Relaxed), 0);
    assert!(
        guest.took >= SECOND && guest.took < 2 * SECOND,
        "{:?}",
        guest.took
    );
    assert!(error.is_deadline() && error.is_timeout());
    assert_eq!(
        (error.stage(), error.execution()),
        (Stage::Work, Execution::MaybeRun)
    );
    let text = "work: it was not done within 1s, the time for this guest (commands may have run)";
    assert_eq!(error.to_string(), text);
    assert!(run.next().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn work_that_goes_on_after_its_command_was_cut_off_is_dropped_too() {
    let (fleet, agents) = answering(2);
    agents[0].on("guest-ping").fault(Fault::no_answer());
    let fleet = fleet.concurrency(1).per_guest(SECOND);
    let mut run = fleet.run(|client| async move {
        while client.execute(Ping).await.is_err() {
            sleep(SECOND).await;
        }
        Ok(())
    });
    let hung = run.next().await.unwrap();
    assert_eq!(hung.result.unwrap_err().stage(), Stage::Work);
    run.next().await.unwrap().result.unwrap();
}

#[tokio::test(start_paused = true)]
async fn work_whose_command_was_cut_off_has_a_moment_to_return_its_error() {
    let (fleet, agents) = answering(1);
    agents[0].on("guest-ping").fault(Fault::no_answer());
    let mut run = fleet.per_guest(SECOND).run(|client| async move {
        let result = client.execute(Ping).await;
        sleep(SECOND / 20).await;
        result
    });
    let error = run.next().await.unwrap().result.unwrap_err();
    assert_eq!(error.stage(), Stage::Receive);
}

#[tokio::test(start_paused = true)]
async fn a_time_without_end_and_one_of_nothing_are_times_too() {
    let (fleet, _agents) = answering(2);
    let forever = fleet.clone().per_guest(Duration::MAX);
    let mut run = forever.run(|client| async move { client.execute(Ping).await });
    while let Some(guest) = run.next().await {
        guest.result.unwrap();
    }
    let never = fleet.per_guest(Duration::ZERO);
    let mut run = never.run(|client| async move { client.execute(Ping).await });
    while let Some(guest) = run.next().await {
        assert!(guest.result.unwrap_err().is_deadline());
    }
    assert_eq!(run.summary().failed(FailureKind::Timeout), 2);
}

#[tokio::test(start_paused = true)]
async fn an_earlier_deadline_of_a_client_still_counts() {
    let (agent, stream) = qga_testserver::TestAgent::in_memory();
    agent.on("guest-ping").fault(Fault::no_answer());
    let client = qga_core::Client::new(stream).within(SECOND);
    let fleet = qga_core::Fleet::clients([("vm", client)]).per_guest(9 * SECOND);
    let mut run = fleet.run(|client| async move { client.execute(Ping).await });
    let guest = run.next().await.unwrap();
    assert!(guest.result.unwrap_err().is_deadline());
    assert_eq!(guest.took, SECOND);
}

#[tokio::test(start_paused = true)]
async fn a_guest_that_hangs_ends_in_time_beside_any_number_that_are_done_at_once() {
    for quick in [0, 1, 63, 64, 125, 126, 127, 128, 129, 200, 1000] {
        let (fleet, _peers) = silent(quick + 1);
        let fleet = fleet.concurrency(quick + 1).per_guest(SECOND);
        let task = tokio::spawn(async move {
            let count = AtomicUsize::new(0);
            let mut run = fleet.run(|_| {
                let number = count.fetch_add(1, Ordering::Relaxed);
                async move {
                    if number == quick {
                        std::future::pending::<()>().await;
                    }
                    Ok(())
                }
            });
            while run.next().await.is_some() {}
            run.summary().failed(FailureKind::Timeout)
        });
        let ended = tokio::time::timeout(10 * SECOND, task).await;
        assert_eq!(
            ended.unwrap_or_else(|_| panic!("beside {quick}")).unwrap(),
            1
        );
    }
}
