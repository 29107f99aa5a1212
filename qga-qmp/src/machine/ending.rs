//! Shutdowns, reboots and suspends whose outcome is proven.

use std::fmt;
use std::pin::Pin;
use std::time::Duration;

use qga_commands::guest::power::{Outcome, Transition};
use qga_core::{MachineWatch as _, Power};

use super::{Machine, MachineError};
use crate::commands::event::EventKind;
use crate::events::{Event, Events};

/// How many events are looked at for the one that tells of an outcome. QEMU may send them without end.
const MOST_EVENTS: usize = 10_000;

/// What became of a machine whose guest was told to go.
#[derive(Clone, Debug)]
#[must_use = "the guest may still run"]
#[non_exhaustive]
pub struct Ending {
    /// What became of it.
    pub outcome: Outcome,
    /// Whence that is known.
    pub proof: Proof,
}

/// Whence it is known what became of a machine.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Proof {
    /// QEMU has told it.
    Event(Box<Event>),
    /// QEMU says so when it is asked, or nobody listens at its monitor any more.
    State(Power),
    /// Nobody tells it: it is what the agent's channel shows.
    Assumed,
}

/// A shutdown, reboot or suspend of a machine's guest that is to be done: await it.
///
/// # Errors
///
/// As those of a [`Transition`].
///
/// # Cancel safety
///
/// The command was sent once or not at all, so the guest may be on its way.
#[derive(Clone, Debug)]
#[must_use = "nothing is sent until it is awaited"]
pub struct MachineTransition {
    machine: Machine,
    transition: Transition,
}

impl Ending {
    /// Whether QEMU says so.
    #[must_use]
    pub fn is_proven(&self) -> bool {
        !matches!(self.proof, Proof::Assumed)
    }
}

impl MachineTransition {
    pub(super) fn new(machine: &Machine, transition: Transition) -> Self {
        Self {
            machine: machine.clone(),
            transition,
        }
    }

    /// How long to wait for the outcome; 2 minutes unless set.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.transition = self.transition.timeout(timeout);
        self
    }

    async fn run(self) -> Result<Ending, MachineError> {
        let mut events = self.machine.monitor.events();
        let before = self.machine.state();
        let outcome = self.transition.await?;
        let after = *self.machine.watch.watch().borrow();
        let proof = match told(outcome, &mut events) {
            Some(event) => Proof::Event(Box::new(event)),
            None if is_state(outcome, after.power) => Proof::State(after.power),
            None if outcome == Outcome::Back && after.resets > before.resets => {
                Proof::State(after.power)
            }
            None => Proof::Assumed,
        };
        Ok(Ending { outcome, proof })
    }
}

impl IntoFuture for MachineTransition {
    type Output = Result<Ending, MachineError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

/// The event that tells of the outcome, among those that came meanwhile.
fn told(outcome: Outcome, events: &mut Events) -> Option<Event> {
    for _ in 0..MOST_EVENTS {
        let Ok(event) = events.by_now()? else {
            continue;
        };
        let is_it = match (outcome, &event.kind) {
            (Outcome::Off, EventKind::Shutdown(_))
            | (Outcome::Suspended, EventKind::Suspend)
            | (Outcome::Panicked, EventKind::GuestPanicked(_) | EventKind::GuestCrashloaded(_)) => {
                true
            }
            (Outcome::Back, EventKind::Reset(reset)) => reset.guest,
            _ => false,
        };
        if is_it {
            return Some(event);
        }
    }
    None
}

/// Whether the state of the machine is the outcome.
fn is_state(outcome: Outcome, power: Power) -> bool {
    matches!(
        (outcome, power),
        (Outcome::Off, Power::Off)
            | (Outcome::Suspended, Power::Suspended)
            | (Outcome::Panicked, Power::Panicked)
    )
}

impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Event(event) => write!(f, "QEMU has told {}", event.kind.name()),
            Self::State(_) => f.write_str("QEMU says so, or is gone"),
            Self::Assumed => f.write_str("assumed, as QEMU tells nothing of it"),
        }
    }
}

#[cfg(test)]
#[path = "ending/tests.rs"]
mod tests;
