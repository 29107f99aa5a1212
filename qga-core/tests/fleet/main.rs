//! Many guests as one, with time that is paused.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod addresses;
mod asking;
mod ending;
mod summary;
mod time;

use std::sync::atomic::{AtomicUsize, Ordering};

use qga_core::fleet::Run;
use qga_core::{Client, Fleet, QgaCommand};
use qga_testserver::TestAgent;
use tokio::io::DuplexStream;

#[derive(Clone, Copy, QgaCommand)]
#[qga(name = "guest-ping")]
struct Ping;

/// Guests called `vm0` and so on, and the other ends of their channels, on which nobody says anything.
fn silent(guests: usize) -> (Fleet, Vec<DuplexStream>) {
    let (clients, peers): (Vec<_>, _) = (0..guests)
        .map(|number| {
            let (ours, theirs) = tokio::io::duplex(4096);
            ((format!("vm{number}"), Client::new(ours)), theirs)
        })
        .unzip();
    (Fleet::clients(clients), peers)
}

/// Guests called `vm0` and so on, with their agents.
fn answering(guests: usize) -> (Fleet, Vec<TestAgent>) {
    let (clients, agents): (Vec<_>, _) = (0..guests)
        .map(|number| {
            let (agent, stream) = TestAgent::in_memory();
            ((format!("vm{number}"), Client::new(stream)), agent)
        })
        .unzip();
    (Fleet::clients(clients), agents)
}

/// The names of the guests in the order in which their results come.
async fn names<T>(mut run: Run<'_, T>) -> Vec<String> {
    let mut names = Vec::new();
    while let Some(guest) = run.next().await {
        names.push(guest.name.to_string());
    }
    names
}

/// Counts those that are alive.
struct Alive<'a>(&'a AtomicUsize);

impl<'a> Alive<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Alive<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
