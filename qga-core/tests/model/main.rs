//! Commands, cancels, timeouts, pipelines and reconnects in any order, against an agent that loses,
//! delays, repeats, tears and garbles its replies and whose channel ends at any byte. Beside the
//! client stands a model: what the agent has run. For each sequence:
//!
//! - no reply is given to another command,
//! - no command that must not run twice does, and what the client says of each is true,
//! - every command ends by its deadline,
//! - memory stays under a cap.
//!
//! A failure names its seed; `QGA_SEED=7` runs that one alone.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod agent;
mod calls;
mod random;
mod steps;
mod wire;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use qga_core::{Client, Options};
use tokio::time::sleep;

use agent::{Agent, Ran};
use calls::Calls;
use random::Random;
use wire::Host;

/// Of each of the two tests with faults.
const SEQUENCES: u64 = 5000;
/// Of each of the two without.
const CALM_SEQUENCES: u64 = 1000;
const STEPS: u64 = 10;
const REPLY_LIMIT: usize = 16 * 1024;
/// The longest line that comes unasked, in bytes.
const FLOOD: u64 = 100_000;
/// What the whole process may take at its worst, in KiB; Linux only.
const MEMORY: u64 = 48 * 1024;

const OPTIONS: Options = Options::new()
    .timeout(Duration::from_secs(10))
    .reply_limit(REPLY_LIMIT)
    .grace(Duration::from_secs(1));

async fn sequence(seed: u64, echoes_ids: bool, is_faulty: bool) -> u32 {
    let mut random = Random(seed);
    let (host, pipes) = Host::new(seed ^ 0x5555);
    let ran = Ran::default();
    let agent = Agent::new(!seed, echoes_ids, is_faulty, ran.clone());
    let agent = tokio::spawn(agent.live(pipes));
    let client = connect(&host).await;
    if is_faulty {
        host.becomes_faulty();
    }
    drop(host);
    let mut calls = Calls::default();
    for serial in 0..STEPS {
        steps::step(&client, &mut random, &mut calls, serial).await;
    }
    drop(client);
    // The agent may still run what it has read.
    sleep(Duration::from_secs(600)).await;
    assert!(agent.is_finished(), "the client has left a channel open");
    calls.compare(&ran.lock().unwrap());
    calls.answered
}

/// The agent is new, but it may be slow or fail already.
async fn connect(host: &Host) -> Client {
    loop {
        let host = host.clone();
        let open = move || host.clone().connect();
        let builder = Client::builder().options(OPTIONS);
        if let Ok(client) = builder.connect_with(open).await {
            return client;
        }
    }
}

fn run(seed: u64, echoes_ids: bool, is_faulty: bool) -> u32 {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(sequence(seed, echoes_ids, is_faulty))
}

fn run_all(echoes_ids: bool, is_faulty: bool) {
    let chosen = std::env::var("QGA_SEED").ok();
    let seeds = match chosen.and_then(|seed| seed.parse().ok()) {
        Some(seed) => seed..seed + 1,
        None if is_faulty => 0..SEQUENCES,
        None => 0..CALM_SEQUENCES,
    };
    let mut answered = 0;
    for seed in seeds.clone() {
        let one = catch_unwind(AssertUnwindSafe(|| run(seed, echoes_ids, is_faulty)));
        answered += u64::from(one.unwrap_or_else(|_| panic!("QGA_SEED={seed}")));
    }
    let least = (seeds.end - seeds.start) * STEPS / 3;
    assert!(
        answered > least || least < 10,
        "only {answered} commands were answered"
    );
    if let Some(peak) = peak_memory() {
        assert!(peak < MEMORY, "{peak} KiB");
    }
}

/// The most memory that this process has had, in KiB.
fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().trim_end_matches(" kB").parse().ok()
}

#[test]
fn with_ids_the_client_says_what_is_true() {
    run_all(true, false);
}

#[test]
fn with_ids_and_faults_the_client_says_what_is_true() {
    run_all(true, true);
}

#[test]
fn without_ids_the_client_says_what_is_true() {
    run_all(false, false);
}

#[test]
fn without_ids_and_with_faults_the_client_says_what_is_true() {
    run_all(false, true);
}
