//! The engine against an agent that loses, delays, repeats, tears and garbles what it says, on a channel
//! that ends at any byte: commands, cancels and waiting in any order, in a time that is only counted.
//! Beside them stands what the agent has really run. For each sequence:
//!
//! - no reply is given to another command,
//! - no command runs twice, and what is said of each is true,
//! - every command ends by its deadline,
//! - once nothing goes wrong any more, the next command succeeds in time,
//! - the same seed gives the same events.
//!
//! A failure names its seed, and `QGA_SEED=7` runs that one alone. `QGA_MODEL_SECONDS=600` takes fresh
//! seeds for so long and adds those that fail to `corpus.txt`, which every run begins with.

mod agent;
mod calls;
mod world;

use std::fs::OpenOptions;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant, SystemTime};

use super::random::Random;
use world::World;

/// Of each of the two tests with faults.
const SEQUENCES: u64 = 50_000;
/// Of each of the two without.
const CALM_SEQUENCES: u64 = 5_000;
const STEPS: u64 = 10;
const CORPUS: &str = "src/protocol/model/corpus.txt";

/// How an agent behaves.
#[derive(Clone, Copy)]
struct Kind {
    echoes_ids: bool,
    is_faulty: bool,
}

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.token() % end.max(1)
    }

    fn size(&mut self, end: usize) -> usize {
        usize::try_from(self.below(end as u64)).unwrap()
    }

    fn percent(&mut self, chance: u64) -> bool {
        self.below(100) < chance
    }
}

/// Runs a sequence; returns all that happened.
fn sequence(seed: u64, kind: Kind) -> Vec<String> {
    let mut world = World::new(seed, kind);
    for _ in 0..STEPS {
        world.step();
    }
    world.finish()
}

fn check(seed: u64, kind: Kind) -> u64 {
    let first = sequence(seed, kind);
    assert_eq!(first, sequence(seed, kind), "not the same twice");
    first
        .iter()
        .filter(|event| event.contains("replied"))
        .count() as u64
}

fn run_all(kind: Kind) {
    let number = |name| std::env::var(name).ok()?.parse::<u64>().ok();
    let mut answered = 0;
    let mut ran = 0;
    let mut run = |seed, keep: bool| {
        let one = catch_unwind(AssertUnwindSafe(|| check(seed, kind)));
        answered += one.unwrap_or_else(|_| {
            if keep {
                keep_seed(seed);
            }
            panic!("QGA_SEED={seed}")
        });
        ran += 1;
    };
    if let Some(seed) = number("QGA_SEED") {
        return run(seed, false);
    }
    for seed in include_str!("model/corpus.txt").lines() {
        run(seed.parse().unwrap(), false);
    }
    let seeds = if kind.is_faulty {
        SEQUENCES
    } else {
        CALM_SEQUENCES
    };
    for seed in 0..seeds {
        run(seed, false);
    }
    if let Some(seconds) = number("QGA_MODEL_SECONDS") {
        let end = Instant::now() + Duration::from_secs(seconds);
        let now = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap();
        let mut random =
            Random::from_seed(u64::try_from(now.as_nanos() & u128::from(u64::MAX)).unwrap());
        while Instant::now() < end {
            run(random.token(), true);
        }
        println!("{ran} sequences");
    }
    assert!(
        answered > ran * STEPS / 3,
        "only {answered} commands were answered"
    );
}

fn keep_seed(seed: u64) {
    let corpus = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(CORPUS);
    let mut corpus = OpenOptions::new().append(true).open(corpus).unwrap();
    writeln!(corpus, "{seed}").unwrap();
}

#[test]
fn with_ids_the_engine_says_what_is_true() {
    run_all(Kind {
        echoes_ids: true,
        is_faulty: false,
    });
}

#[test]
fn with_ids_and_faults_the_engine_says_what_is_true() {
    run_all(Kind {
        echoes_ids: true,
        is_faulty: true,
    });
}

#[test]
fn without_ids_the_engine_says_what_is_true() {
    run_all(Kind {
        echoes_ids: false,
        is_faulty: false,
    });
}

#[test]
fn without_ids_and_with_faults_the_engine_says_what_is_true() {
    run_all(Kind {
        echoes_ids: false,
        is_faulty: true,
    });
}
