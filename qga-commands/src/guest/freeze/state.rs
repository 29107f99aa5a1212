//! What a guest's clones know of its filesystems.

use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};

use qga_core::{Client, Hold};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

use crate::schema;

/// Why a command is not sent.
const HELD: &str = "this client has frozen the guest's filesystems; it can be sent after the thaw";

/// Whether the filesystems are frozen, as far as this client has done it.
#[derive(Debug, Default)]
pub(in crate::guest) struct State {
    known: Mutex<Known>,
    lifted: Notify,
}

/// One freeze of this client, told from those before and after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Number(u64);

#[derive(Debug, Default)]
struct Known {
    freezes: u64,
    held: Option<Held>,
    owes_thaw: bool,
}

/// A freeze that is under way or was done.
#[derive(Debug)]
struct Held {
    number: Number,
    hold: Hold,
    /// Whether what is sent from now on comes after the freeze.
    sent: bool,
    /// Whether it is being undone.
    thaws: bool,
}

impl State {
    pub(in crate::guest) fn is_frozen(&self) -> bool {
        self.known().held.is_some()
    }

    /// Whether the filesystems are being thawed, so that it is worth while to wait.
    pub(in crate::guest) fn is_thawing(&self) -> bool {
        self.known().held.as_ref().is_some_and(|held| held.thaws)
    }

    /// Waits until the filesystems are not frozen. Whether that was in time.
    pub(in crate::guest) async fn thawed_by(&self, end: Instant) -> bool {
        loop {
            let mut lifted = pin!(self.lifted.notified());
            lifted.as_mut().enable();
            if !self.is_frozen() {
                return true;
            }
            if timeout_at(end, lifted).await.is_err() {
                return false;
            }
        }
    }

    /// Whether a thaw was given up.
    pub(in crate::guest) fn owes_thaw(&self) -> bool {
        self.known().owes_thaw
    }

    /// Holds all else back, before a freeze; `None` if there is a freeze already.
    pub(super) fn freeze(&self, client: &Client) -> Option<Number> {
        let mut known = self.known();
        if known.held.is_some() {
            return None;
        }
        known.freezes += 1;
        let number = Number(known.freezes);
        known.held = Some(Held {
            number,
            hold: client.hold(HELD, may_pass),
            sent: false,
            thaws: false,
        });
        Some(number)
    }

    /// The freeze is not waiting to be sent any more.
    pub(super) fn sent(&self, number: Number) {
        let mut known = self.known();
        if let Some(held) = known.held.as_mut().filter(|held| held.number == number) {
            held.sent = true;
        }
    }

    /// This freeze is being undone, so that all else waits for that.
    pub(super) fn thaws(&self, number: Number) {
        let mut known = self.known();
        if let Some(held) = known.held.as_mut().filter(|held| held.number == number) {
            held.thaws = true;
            held.hold.ends_soon();
        }
    }

    /// Whether it is this freeze that holds all else back.
    pub(super) fn is_held_by(&self, number: Number) -> bool {
        let known = self.known();
        known
            .held
            .as_ref()
            .is_some_and(|held| held.number == number)
    }

    /// The freeze that a thaw ends which is sent now.
    pub(super) fn ended_by_thaw(&self) -> Option<Number> {
        let known = self.known();
        let held = known.held.as_ref().filter(|held| held.sent)?;
        Some(held.number)
    }

    /// Something was thawed, and with it this freeze, if it is still there.
    pub(super) fn thawed(&self, number: Option<Number>) {
        self.known().owes_thaw = false;
        if let Some(number) = number {
            self.lift(number);
        }
    }

    /// Lets commands pass again. Whether this freeze was still there.
    pub(super) fn lift(&self, number: Number) -> bool {
        let mut known = self.known();
        let lifted = known.held.take_if(|held| held.number == number);
        drop(known);
        self.lifted.notify_waiters();
        lifted.is_some()
    }

    /// Nobody thaws this freeze any more. The agent itself refuses what has to wait.
    pub(super) fn give_up(&self, number: Number) {
        if self.lift(number) {
            self.known().owes_thaw = true;
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The freeze itself comes after the hold.
fn may_pass(command: &str) -> bool {
    let freezes = ["guest-fsfreeze-freeze", "guest-fsfreeze-freeze-list"];
    freezes.contains(&command) || runs_while_frozen(command)
}

/// Whether an agent carries out a command while filesystems are frozen.
pub(in crate::guest) fn runs_while_frozen(command: &str) -> bool {
    schema::find(command).is_some_and(|known| known.while_frozen)
}
