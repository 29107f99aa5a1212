//! Many clients, each with a fake agent of its own that goes wrong by chance, over real sockets and
//! on many threads: nothing hangs, nothing is mixed up, nothing is left behind.
//!
//! `QGA_SOAK_SECONDS`, `QGA_SOAK_CLIENTS` and `QGA_SOAK_SEED` say how long, how many and which;
//! without them it is a short look.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "all of this is a test"
)]

mod faults;
mod pair;
mod resources;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use pair::{Figures, run_pair};
use resources::{Resources, allow_descriptors};

/// More of a process's memory than this, in KiB for each client, has leaked.
const GROWTH: u64 = 100;
/// Descriptors that a runtime may open for itself while it runs.
const SPARE: usize = 16;

fn main() {
    // Those who only list tests, or look for another one, get nothing.
    let other = |name: String| !name.starts_with('-') && !"soak".contains(&name);
    if std::env::args().any(|argument| argument == "--list")
        || std::env::args().nth(1).is_some_and(other)
    {
        return;
    }
    let seconds = setting("QGA_SOAK_SECONDS", 2);
    let clients = allow_descriptors(setting("QGA_SOAK_CLIENTS", 100));
    let seed = setting("QGA_SOAK_SEED", 1);
    println!("soak: {clients} clients for {seconds} s, QGA_SOAK_SEED={seed}");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let empty = Resources::of(&runtime);
    let (early, late, figures) =
        runtime.block_on(soak(&runtime, clients, seed, Duration::from_secs(seconds)));
    let end = settled(&runtime, &empty);
    println!("soak: {figures}");
    println!("soak: at first {empty}; under way {early}; at last {late}; afterwards {end}");
    assert!(figures.answered > clients, "hardly anything was answered");
    assert_eq!(end.tasks, empty.tasks, "tasks are left");
    assert!(
        end.descriptors <= empty.descriptors + SPARE,
        "descriptors are left"
    );
    let most = early.memory + GROWTH * clients;
    assert!(seconds < 30 || late.memory < most, "the memory grows");
}

fn setting(name: &str, otherwise: u64) -> u64 {
    let text = std::env::var(name).ok();
    text.map_or(otherwise, |text| {
        text.parse()
            .unwrap_or_else(|_| panic!("{name} is a number"))
    })
}

/// Runs all pairs; measures after a third of the time and at its end.
async fn soak(
    runtime: &tokio::runtime::Runtime,
    clients: u64,
    seed: u64,
    time: Duration,
) -> (Resources, Resources, Figures) {
    let stop = Arc::new(AtomicBool::new(false));
    let pairs: Vec<_> = (0..clients)
        .map(|number| tokio::spawn(run_pair(seed.wrapping_add(number << 20), Arc::clone(&stop))))
        .collect();
    tokio::time::sleep(time / 3).await;
    let early = Resources::of(runtime);
    tokio::time::sleep(time * 2 / 3).await;
    let late = Resources::of(runtime);
    stop.store(true, Relaxed);
    let mut figures = Figures::default();
    for pair in pairs {
        let ended = tokio::time::timeout(Duration::from_secs(60), pair).await;
        figures.add(&ended.expect("a pair hangs").expect("a pair has failed"));
    }
    (early, late, figures)
}

/// What is held once everything had time to go away.
fn settled(runtime: &tokio::runtime::Runtime, empty: &Resources) -> Resources {
    let start = Instant::now();
    loop {
        let now = Resources::of(runtime);
        let gone = now.tasks == empty.tasks && now.descriptors <= empty.descriptors + SPARE;
        if gone || start.elapsed() > Duration::from_secs(10) {
            return now;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}
