//! In which order guests are asked, and how many at a time.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use crate::{Ping, answering, names, silent};
use futures_util::{Stream, StreamExt};
use qga_core::{Client, Fleet};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn results_come_in_the_order_in_which_they_arrive_with_the_time_that_each_took() {
    let (fleet, _peers) = silent(3);
    let seconds = Mutex::new(vec![2, 3, 1]);
    let mut run = fleet.run(|_| {
        let time = seconds.lock().unwrap().pop().unwrap() * SECOND;
        async move {
            sleep(time).await;
            Ok(time)
        }
    });
    let mut seen = Vec::new();
    while let Some(guest) = run.next().await {
        assert_eq!(guest.took, guest.result.unwrap());
        seen.push((guest.name.to_string(), guest.index, guest.took.as_secs()));
    }
    let expected =
        [(0, 1), (2, 2), (1, 3)].map(|(number, time)| (format!("vm{number}"), number, time));
    assert_eq!(seen, expected);
}

#[tokio::test(start_paused = true)]
async fn as_many_guests_are_asked_at_a_time_as_may_be_and_never_more() {
    let (fleet, _peers) = silent(100);
    let (now, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let work = async |_: Client| {
        most.fetch_max(now.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
        sleep(SECOND).await;
        now.fetch_sub(1, Ordering::Relaxed);
        Ok(())
    };
    let start = Instant::now();
    let run = fleet.concurrency(7).run(work);
    assert_eq!(names(run).await.len(), 100);
    assert_eq!(most.into_inner(), 7);
    // Always full: 15 rounds of 7, the last of which has 2.
    assert_eq!(start.elapsed(), 15 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn a_place_that_is_free_is_filled_while_others_go_on() {
    let (fleet, _peers) = silent(10);
    let number = AtomicUsize::new(0);
    let start = Instant::now();
    let run = fleet.concurrency(2).run(|_| {
        let time = match number.fetch_add(1, Ordering::Relaxed) {
            0 => 9 * SECOND,
            _ => SECOND,
        };
        async move {
            sleep(time).await;
            Ok(())
        }
    });
    assert_eq!(names(run).await.len(), 10);
    assert_eq!(start.elapsed(), 9 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn a_fleet_of_none_is_done_at_once() {
    let fleet = Fleet::new([""; 0]).concurrency(0);
    assert!(fleet.is_empty());
    let mut run = fleet.run(|_| async { Ok(()) });
    assert!(run.next().await.is_none());
    assert!(run.next().await.is_none());
    assert_eq!(run.summary().to_string(), "0 of 0 guests answered");
}

#[tokio::test(start_paused = true)]
async fn a_concurrency_of_none_is_one() {
    let (fleet, _peers) = silent(3);
    let run = fleet.concurrency(0).run(|_| async { Ok(()) });
    assert_eq!(names(run).await, ["vm0", "vm1", "vm2"]);
}

#[tokio::test(start_paused = true)]
async fn guests_with_the_same_name_are_told_apart_by_their_index() {
    let (clients, _peers): (Vec<_>, Vec<_>) = (0..3)
        .map(|_| {
            let (ours, theirs) = tokio::io::duplex(64);
            (("vm", Client::new(ours)), theirs)
        })
        .unzip();
    let mut run = Fleet::clients(clients).run(|_| async { Ok(()) });
    let mut seen = Vec::new();
    while let Some(guest) = run.next().await {
        seen.push((guest.name.to_string(), guest.index));
    }
    assert_eq!(seen, [0, 1, 2].map(|index| ("vm".to_owned(), index)));
}

#[tokio::test(start_paused = true)]
async fn a_fleet_can_run_again_over_clients_that_stay_connected() {
    let (fleet, agents) = answering(5);
    for _ in 0..2 {
        let run = fleet.run(|client| async move { client.execute(Ping).await });
        assert_eq!(names(run).await.len(), 5);
    }
    for agent in &agents {
        assert_eq!(agent.requests_of("guest-ping").len(), 2);
        assert_eq!(agent.requests_of("guest-sync-delimited").len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_is_a_stream() {
    let (fleet, _peers) = silent(5);
    let run = fleet.concurrency(2).run(|_| async { Ok(()) });
    assert_eq!(run.size_hint(), (0, Some(5)));
    let results: Vec<_> = run.collect().await;
    assert_eq!(results.len(), 5);
}

/// Tells how often it is polled, and is ready once it was told to be.
struct Counted<'a> {
    polls: &'a AtomicUsize,
    end: mpsc::UnboundedReceiver<()>,
}

impl Future for Counted<'_> {
    type Output = Result<(), qga_core::Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.polls.fetch_add(1, Ordering::Relaxed);
        self.end.poll_recv(cx).map(|_| Ok(()))
    }
}

#[tokio::test(start_paused = true)]
async fn only_those_that_were_woken_are_polled_and_none_is_forgotten() {
    const GUESTS: usize = 200;
    let (fleet, _peers) = silent(GUESTS);
    let polls = AtomicUsize::new(0);
    let ends = Mutex::new(Vec::new());
    let mut run = fleet.concurrency(GUESTS).run(|_| {
        let (sender, end) = mpsc::unbounded_channel();
        ends.lock().unwrap().push(sender);
        Counted { polls: &polls, end }
    });
    assert!(timeout(SECOND, run.next()).await.is_err());
    assert_eq!(polls.load(Ordering::Relaxed), GUESTS);
    // Several are woken before the run is polled, and one of them twice.
    let ends = std::mem::take(&mut *ends.lock().unwrap());
    for number in [150, 3, 77] {
        ends[number].send(()).unwrap();
        ends[number].send(()).unwrap();
    }
    for number in [150, 3, 77] {
        assert_eq!(run.next().await.unwrap().index, number);
    }
    assert_eq!(polls.load(Ordering::Relaxed), GUESTS + 3);
    drop(ends);
    assert_eq!(names(run).await.len(), GUESTS - 3);
    assert_eq!(polls.load(Ordering::Relaxed), 2 * GUESTS);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wakes_from_other_threads_are_not_lost() {
    let (fleet, _peers) = silent(2000);
    let run = fleet.run(|_| async {
        let (sender, receiver) = tokio::sync::oneshot::channel();
        tokio::spawn(async move {
            tokio::task::yield_now().await;
            sender.send(()).unwrap();
        });
        receiver.await.unwrap();
        tokio::task::yield_now().await;
        Ok(())
    });
    assert_eq!(names(run).await.len(), 2000);
}

#[tokio::test]
async fn guests_that_need_not_be_waited_for_do_not_keep_the_thread_from_other_tasks() {
    let guests = 10_000;
    let mut run = Fleet::new(vec!["vm:"; guests]).run(|_| async { Ok(()) });
    let turns = Arc::new(AtomicUsize::new(0));
    let counted = turns.clone();
    let other = tokio::spawn(async move {
        loop {
            counted.fetch_add(1, Ordering::Relaxed);
            tokio::task::yield_now().await;
        }
    });
    while run.next().await.is_some() {}
    assert!(turns.load(Ordering::Relaxed) > guests / 1000);
    other.abort();
}

#[tokio::test]
async fn work_that_is_woken_without_end_does_not_keep_the_thread_from_other_tasks() {
    let (fleet, _peers) = silent(3);
    let mut run = fleet.run(|_| {
        poll_fn(|cx| {
            cx.waker().wake_by_ref();
            Poll::<Result<(), _>>::Pending
        })
    });
    let other = tokio::spawn(async {
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
    });
    tokio::select! {
        guest = run.next() => panic!("{guest:?}"),
        done = other => done.unwrap(),
    }
}

#[derive(Debug, Default)]
struct CountWakes(AtomicUsize);

impl Wake for CountWakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_that_goes_on_by_itself_is_not_woken_by_itself() {
    let (fleet, _peers) = silent(50);
    let mut run = fleet.concurrency(5).run(|_| async {
        sleep(SECOND).await;
        let mut is_woken = false;
        let woken_by_itself = poll_fn(|cx| {
            cx.waker().wake_by_ref();
            let was_woken = std::mem::replace(&mut is_woken, true);
            if was_woken {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        });
        woken_by_itself.await;
        Ok(())
    });
    // Each second wakes it once, for all five. What is woken while it is polled needs no other wake.
    let count = Arc::new(CountWakes::default());
    let waker = Waker::from(count.clone());
    let mut cx = Context::from_waker(&waker);
    let mut results = 0;
    loop {
        match pin!(run.next()).poll(&mut cx) {
            Poll::Ready(None) => break,
            Poll::Ready(Some(_)) => results += 1,
            Poll::Pending => sleep(SECOND).await,
        }
    }
    assert_eq!(results, 50);
    assert!(count.0.load(Ordering::Relaxed) <= 10, "{count:?}");
}

#[tokio::test(start_paused = true)]
async fn a_guest_that_is_woken_twice_before_the_run_is_polled_is_polled_once() {
    let (fleet, _peers) = silent(1);
    let (polls, waker) = (AtomicUsize::new(0), Mutex::new(None));
    let mut run = fleet.run(|_| {
        poll_fn(|cx| {
            polls.fetch_add(1, Ordering::Relaxed);
            *waker.lock().unwrap() = Some(cx.waker().clone());
            Poll::<Result<(), _>>::Pending
        })
    });
    for expected in 1..4 {
        assert!(timeout(SECOND, run.next()).await.is_err());
        assert_eq!(polls.load(Ordering::Relaxed), expected);
        let woken = waker.lock().unwrap().take().unwrap();
        woken.wake_by_ref();
        woken.wake();
    }
}
