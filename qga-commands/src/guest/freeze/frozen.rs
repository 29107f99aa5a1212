//! Freezing, and what undoes it.

use std::fmt;

use qga_core::{Execution, QgaCommand};
use tokio::runtime::Handle;

use super::{State, Thawed, thaw};
use crate::capabilities::ClientExt as _;
use crate::fs::{FsfreezeFreeze, FsfreezeFreezeList, GuestFsfreezeStatus};
use crate::guest::{Guest, GuestError};

/// Frozen filesystems. Dropped without a [`thaw`](Self::thaw), they are thawed by a task of its own.
#[must_use = "the filesystems are thawed when this is dropped"]
pub struct Frozen {
    guard: Guard,
    count: Option<i64>,
}

impl Frozen {
    /// How many filesystems were frozen; `None` if the answer was lost.
    #[must_use]
    pub fn count(&self) -> Option<i64> {
        self.count
    }

    /// Thaws them, in several attempts if need be, for up to a minute and a half.
    ///
    /// # Errors
    ///
    /// [`GuestError::MaybeFrozen`] when it does not succeed; a task of its own goes on trying.
    ///
    /// # Cancel safety
    ///
    /// After the future is dropped, a task of its own thaws.
    pub async fn thaw(self) -> Result<Thawed, GuestError> {
        let guest = self.guard.guest.clone();
        let thawed = thaw::thaw(&guest, self.count, thaw::SHORT).await?;
        self.guard.disarm();
        Ok(thawed)
    }
}

impl fmt::Debug for Frozen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Frozen")
            .field("count", &self.count)
            .finish_non_exhaustive()
    }
}

/// Thaws when dropped.
struct Guard {
    guest: Guest,
    runtime: Handle,
    armed: bool,
}

impl Guard {
    fn disarm(mut self) {
        self.armed = false;
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if self.armed {
            let guest = self.guest.clone();
            self.runtime.spawn(async move {
                // Nobody is left to hear of a failure; the guest's clones stay refused.
                drop(thaw::thaw(&guest, None, thaw::LONG).await);
            });
        }
    }
}

/// Freezes all filesystems, or those that are mounted there.
pub(super) async fn freeze(
    guest: &Guest,
    mountpoints: Option<Vec<String>>,
) -> Result<Frozen, GuestError> {
    guest.before(FsfreezeFreeze::NAME).await?;
    let state = guest.client().attachment::<State>();
    if !state.freeze() {
        let command = FsfreezeFreeze::NAME;
        return Err(GuestError::Frozen { command });
    }
    // From here on every way out thaws, but for the one on which nothing was frozen.
    let guard = Guard {
        guest: guest.clone(),
        runtime: Handle::current(),
        armed: true,
    };
    let frozen = match mountpoints {
        None => guest.client().execute(FsfreezeFreeze).await,
        Some(mountpoints) => {
            let list = FsfreezeFreezeList::new().mountpoints(mountpoints);
            guest.client().execute(list).await
        }
    };
    let error = match frozen {
        Ok(count) => {
            guest.client().forget_capabilities().await;
            let count = Some(count);
            return Ok(Frozen { guard, count });
        }
        Err(error) => error,
    };
    if error.execution() == Execution::NotRun {
        state.thaw();
        guard.disarm();
        return Err(error.into());
    }
    match thaw::status(guest).await {
        Ok(GuestFsfreezeStatus::Frozen) if error.agent_error().is_none() => {
            guest.client().forget_capabilities().await;
            Ok(Frozen { guard, count: None })
        }
        Ok(GuestFsfreezeStatus::Thawed) => {
            state.thaw();
            guard.disarm();
            Err(error.into())
        }
        // An agent that says it failed and is frozen all the same is thawed by the guard.
        Ok(_) | Err(_) => Err(GuestError::MaybeFrozen { source: error }),
    }
}
