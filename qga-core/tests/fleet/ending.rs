//! Runs that end early, that fail, and that move.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use crate::{Alive, Ping, names, silent};
use qga_core::Fleet;
use tokio::io::AsyncReadExt;
use tokio::net::UnixListener;
use tokio::time::{Instant, sleep, timeout};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn a_run_that_is_dropped_closes_its_connections_and_nothing_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("qga.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let fleet = Fleet::new(vec![path; 20]).concurrency(4);
    let mut run = fleet.run(|client| async move { client.execute(Ping).await });
    let mut streams = Vec::new();
    assert!(timeout(SECOND, run.next()).await.is_err());
    for _ in 0..4 {
        streams.push(listener.accept().await.unwrap().0);
    }
    drop(run);
    for stream in &mut streams {
        let mut sent = Vec::new();
        stream.read_to_end(&mut sent).await.unwrap();
        assert!(!sent.is_empty(), "the sync");
    }
    sleep(60 * SECOND).await;
    assert!(timeout(SECOND, listener.accept()).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_dropped_drops_the_work_that_is_under_way() {
    let (fleet, _peers) = silent(10);
    let alive = AtomicUsize::new(0);
    let mut run = fleet.concurrency(3).run(|_| {
        let alive = Alive::new(&alive);
        async move {
            let _alive = alive;
            sleep(SECOND).await;
            Ok(())
        }
    });
    run.next().await.unwrap();
    assert_eq!(alive.load(Ordering::Relaxed), 2);
    drop(run);
    assert_eq!(alive.load(Ordering::Relaxed), 0);
}

#[tokio::test(start_paused = true)]
async fn after_so_many_failures_no_further_guest_is_begun_and_those_that_were_go_on() {
    let (fleet, _peers) = silent(100);
    let fleet = fleet.concurrency(4).stop_after(2);
    let begun = AtomicUsize::new(0);
    let mut run = fleet.run(|client| {
        let number = begun.fetch_add(1, Ordering::Relaxed);
        let is_bad = number == 5 || number == 6;
        async move {
            sleep(SECOND).await;
            if is_bad {
                client.within(Duration::ZERO).execute(Ping).await?;
            }
            Ok(())
        }
    });
    let mut answered = 0;
    while let Some(guest) = run.next().await {
        answered += usize::from(guest.result.is_ok());
    }
    let begun = begun.load(Ordering::Relaxed);
    let summary = run.summary();
    assert_eq!(answered, begun - 2);
    assert_eq!((summary.answered(), summary.failed_in_all()), (answered, 2));
    assert_eq!(summary.not_asked(), 100 - begun);
    // Two rounds of 4, and the one that was begun when the sixth was done.
    assert!(begun < 12, "{begun}");
    assert!(run.next().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_panic_of_the_work_comes_to_the_caller_and_the_run_can_go_on() {
    let (fleet, _peers) = silent(10);
    let number = AtomicUsize::new(0);
    let mut run = fleet.concurrency(2).run(|_| {
        let number = number.fetch_add(1, Ordering::Relaxed);
        async move {
            sleep(SECOND).await;
            assert_ne!(number, 3, "the test's own panic");
            Ok(())
        }
    });
    let mut next = async || {
        let mut polled =
            |cx: &mut Context<'_>| catch_unwind(AssertUnwindSafe(|| pin!(run.next()).poll(cx)));
        let next = poll_fn(|cx| match polled(cx) {
            Ok(poll) => poll.map(Ok),
            Err(panic) => Poll::Ready(Err(panic)),
        });
        next.await.transpose()
    };
    let (mut answered, mut panics) = (0, 0);
    while let Some(guest) = next().await {
        answered += usize::from(guest.is_ok());
        panics += usize::from(guest.is_err());
    }
    assert_eq!((answered, panics), (9, 1));
    assert_eq!(run.summary().outstanding(), 1);
}

#[tokio::test]
async fn a_run_can_be_handed_from_task_to_task_while_guests_are_asked() {
    let (fleet, _peers) = silent(20);
    let mut run = fleet.concurrency(5).run(|_| async {
        sleep(Duration::from_millis(5)).await;
        Ok(())
    });
    let mut results = 0;
    loop {
        // Begun by one task, and gone on with by another.
        let _ = timeout(Duration::from_millis(1), run.next()).await;
        let next = tokio::spawn(async move {
            let next = run.next().await;
            (next, run)
        });
        let next = next.await.unwrap();
        run = next.1;
        if next.0.is_none() {
            break;
        }
        results += 1;
    }
    assert!(results > 0 && run.summary().answered() == 20);
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

#[test]
fn a_run_can_go_on_in_another_runtime_and_its_fleet_run_again_there() {
    let (first, second) = (runtime(), runtime());
    let agent = first.block_on(qga_testserver::TestAgent::start());
    let serving = std::thread::scope(|scope| {
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let addresses = vec![agent.address(); 6];
        let fleet = Fleet::new(addresses).concurrency(1);
        let mut run = fleet.run(|client| async move { client.execute(Ping).await });
        let begun = first.block_on(async { run.next().await.unwrap().result });
        begun.unwrap();
        scope.spawn(|| first.block_on(async { stopped.await.ok() }));
        second.block_on(async {
            while let Some(guest) = run.next().await {
                guest.result.unwrap();
            }
            let again = fleet.run(|client| async move { client.execute(Ping).await });
            assert_eq!(names(again).await.len(), 6);
        });
        stop.send(()).unwrap();
        run.summary().answered()
    });
    assert_eq!(serving, 6);
}

#[test]
fn a_run_goes_on_after_the_end_of_a_runtime_in_which_nobody_was_being_asked() {
    let (fleet, _peers) = silent(3);
    let mut run = fleet.concurrency(1).run(|_| async {
        sleep(Duration::from_millis(1)).await;
        Ok(())
    });
    for _ in 0..3 {
        let runtime = runtime();
        assert!(runtime.block_on(async { run.next().await }).is_some());
    }
    assert!(runtime().block_on(async { run.next().await }).is_none());
}

#[tokio::test(start_paused = true)]
async fn the_future_of_a_result_can_be_dropped_without_losing_it() {
    let (fleet, _peers) = silent(3);
    let mut run = fleet.run(|_| async {
        sleep(SECOND).await;
        Ok(())
    });
    let start = Instant::now();
    for _ in 0..5 {
        let short = timeout(SECOND / 10, run.next()).await;
        assert!(short.is_err());
    }
    assert_eq!(names(run).await.len(), 3);
    assert_eq!(start.elapsed(), SECOND);
}

#[tokio::test(start_paused = true)]
async fn of_ten_thousand_guests_no_more_are_begun_than_are_asked_at_a_time() {
    let agent = qga_testserver::TestAgent::start().await;
    let (alive, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
    // All are the same socket, whose agent serves one at a time.
    let fleet = Fleet::named((0..10_000).map(|number| (format!("vm{number}"), agent.path())));
    let mut run = fleet.concurrency(64).run(|client| {
        let alive = Alive::new(&alive);
        most.fetch_max(alive.0.load(Ordering::Relaxed), Ordering::Relaxed);
        async move {
            let _alive = alive;
            client.execute(Ping).await
        }
    });
    while let Some(guest) = run.next().await {
        guest.result.unwrap();
    }
    assert_eq!(run.summary().answered(), 10_000);
    assert!(most.load(Ordering::Relaxed) <= 64);
}
