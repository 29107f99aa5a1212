//! Freezing, and what undoes it.

use std::fmt;

use qga_core::{Error, Execution, QgaCommand};
use tokio::runtime::Handle;

use super::{State, Thawed, background, thaw};
use crate::capabilities::ClientExt as _;
use crate::fs::{FsfreezeFreeze, FsfreezeFreezeList, FsfreezeStatus, GuestFsfreezeStatus};
use crate::guest::{Guest, GuestError};

/// Frozen filesystems. Dropped without a [`thaw`](Self::thaw), they are thawed in the background.
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
    /// [`GuestError::MaybeFrozen`] when it does not succeed; it is tried further in the background.
    ///
    /// # Cancel safety
    ///
    /// After the future is dropped, they are thawed in the background.
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
            background::thaw(&self.guest, &self.runtime);
        }
    }
}

/// Freezes all filesystems, or those that are mounted there.
pub(super) async fn freeze(
    guest: &Guest,
    mountpoints: Option<Vec<String>>,
) -> Result<Frozen, GuestError> {
    let guard = begin(guest).await?;
    let sent = match mountpoints {
        None => guest.client().execute(FsfreezeFreeze).await,
        Some(mountpoints) => {
            let list = FsfreezeFreezeList::new().mountpoints(mountpoints);
            guest.client().execute(list).await
        }
    };
    let count = match sent {
        Ok(count) => Some(count),
        Err(error) if error.execution() == Execution::NotRun => return Err(undo(guard, error)),
        Err(error) => match thaw::status(guest).await {
            Ok(GuestFsfreezeStatus::Frozen) if error.agent_error().is_none() => None,
            Ok(GuestFsfreezeStatus::Thawed) => return Err(undo(guard, error)),
            // An agent that says it failed and is frozen all the same is thawed by the guard.
            Ok(_) | Err(_) => return Err(GuestError::MaybeFrozen { source: error }),
        },
    };
    guest.client().forget_capabilities().await;
    let frozen = Frozen { guard, count };
    if count == Some(0) {
        frozen.thaw().await?;
        return Err(GuestError::NothingFrozen);
    }
    Ok(frozen)
}

/// Makes sure that nothing is frozen yet: what somebody else has frozen is not ours to thaw. From
/// here on every way out thaws, but for the one on which nothing was frozen.
async fn begin(guest: &Guest) -> Result<Guard, GuestError> {
    let command = FsfreezeFreeze::NAME;
    guest.before(command).await?;
    let frozen = match guest.client().execute(FsfreezeStatus).await {
        Ok(status) => status == GuestFsfreezeStatus::Frozen,
        // An agent may have the question disabled; it refuses a second freeze by itself.
        Err(error) if error.agent_error().is_some() => false,
        Err(error) => return Err(error.into()),
    };
    let guard = Guard {
        guest: guest.clone(),
        runtime: Handle::current(),
        armed: true,
    };
    let client = guest.client();
    if frozen || !client.attachment::<State>().freeze(client) {
        guard.disarm();
        return Err(GuestError::Frozen { command });
    }
    Ok(guard)
}

/// Nothing was frozen.
fn undo(guard: Guard, error: Error) -> GuestError {
    guard.guest.client().attachment::<State>().thaw();
    guard.disarm();
    error.into()
}
