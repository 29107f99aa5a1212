//! What a guest's clones know of its filesystems.

use std::sync::{Mutex, MutexGuard, PoisonError};

use qga_core::{Client, Hold};

use crate::schema;

/// Whether the filesystems are frozen, as far as this client has done it.
#[derive(Debug, Default)]
pub(in crate::guest) struct State(Mutex<Option<Hold>>);

impl State {
    pub(in crate::guest) fn is_frozen(&self) -> bool {
        self.hold().is_some()
    }

    /// Holds all else back. Whether they were not frozen before.
    pub(super) fn freeze(&self, client: &Client) -> bool {
        let mut hold = self.hold();
        let first = hold.is_none();
        hold.get_or_insert_with(|| client.hold("its filesystems are frozen", may_pass));
        first
    }

    pub(super) fn thaw(&self) {
        *self.hold() = None;
    }

    fn hold(&self) -> MutexGuard<'_, Option<Hold>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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
