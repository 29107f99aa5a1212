//! Freezing, and what undoes it.

use std::fmt;

use qga_core::{Error, Execution, QgaCommand};
use tokio::runtime::Handle;

use super::state::Number;
use super::{State, Thawed, background, thaw};
use crate::backoff::after;
use crate::capabilities::ClientExt as _;
use crate::commands::fs::{
    FsfreezeFreeze, FsfreezeFreezeList, FsfreezeStatus, FsfreezeThaw, GuestFsfreezeStatus,
};
use crate::guest::{Guest, GuestError};
use crate::optional;

/// The guest's filesystems, which are frozen. If this is dropped without a [`thaw`](Self::thaw), they are thawed in the
/// background. A runtime with one thread does that only
/// [while somebody is in it](super#what-happens-in-the-worst-case).
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

    /// Thaws them. If that fails, it is tried again for up to a minute and a half. If [`Guest::thaw`] has thawed them
    /// already, nothing is sent, and the result says that 0 were thawed.
    ///
    /// # Errors
    ///
    /// [`GuestError::MaybeFrozen`] when it does not succeed. It is then tried further in the background.
    ///
    /// # Cancel safety
    ///
    /// When the future is dropped, they are thawed in the background.
    pub async fn thaw(self) -> Result<Thawed, GuestError> {
        let Guard { guest, freeze, .. } = &self.guard;
        let thawed = thaw::thaw_freeze(guest, *freeze, self.count, thaw::SHORT).await?;
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
    freeze: Number,
    runtime: Handle,
    armed: bool,
}

impl Guard {
    /// From here on a thaw comes after the freeze.
    fn sent(&self) {
        let state = self.guest.client().attachment::<State>();
        state.sent(self.freeze);
    }

    fn disarm(mut self) {
        self.armed = false;
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if self.armed {
            self.sent();
            self.guest.client().attachment::<State>().thaws(self.freeze);
            background::thaw(&self.guest, self.freeze, &self.runtime);
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
        Err(error) => match thaw::status(&guard.guest).await {
            Ok(GuestFsfreezeStatus::Frozen) if error.agent_error().is_none() => None,
            Ok(GuestFsfreezeStatus::Thawed) => return Err(undo(guard, error)),
            // An agent that says it failed and is frozen all the same is thawed by the guard.
            Ok(_) | Err(_) => return Err(GuestError::MaybeFrozen { source: error }),
        },
    };
    guard.sent();
    guest.client().forget_capabilities();
    let frozen = Frozen { guard, count };
    match count {
        Some(0) => Err(nothing(frozen).await?),
        _ => Ok(frozen),
    }
}

/// An agent that has frozen nothing may be in its frozen state all the same, as old ones are. A thaw ends that,
/// but it also thaws what somebody else has frozen past the agent, so it is not sent without need.
async fn nothing(frozen: Frozen) -> Result<GuestError, GuestError> {
    let guest = &frozen.guard.guest;
    let address = guest.client().address().cloned().map(Box::new);
    if let Ok(GuestFsfreezeStatus::Thawed) = thaw::status(guest).await {
        lift(frozen.guard);
    } else {
        frozen.thaw().await?;
    }
    Ok(GuestError::NothingFrozen { address })
}

/// Makes sure that nothing is frozen yet: what somebody else has frozen is not ours to thaw. From
/// here on every way out thaws, but for the one on which nothing was frozen.
async fn begin(guest: &Guest) -> Result<Guard, GuestError> {
    let command = FsfreezeFreeze::NAME;
    let runtime = Handle::current();
    guest.before(command).await?;
    if !is_thawed_in_time(guest).await {
        return Err(guest.frozen(command));
    }
    can_thaw(guest).await?;
    let client = guest.client();
    // An agent that does not answer refuses a second freeze by itself.
    let status = optional::ask(client, FsfreezeStatus).await?;
    if status == Some(GuestFsfreezeStatus::Frozen) {
        return Err(GuestError::Frozen {
            command,
            by_this_client: guest.is_frozen(),
            address: client.address().cloned().map(Box::new),
        });
    }
    let Some(freeze) = client.attachment::<State>().freeze(client) else {
        return Err(guest.frozen(command));
    };
    Ok(Guard {
        // A deadline that passes while they are frozen must not keep them so.
        guest: guest.without_deadline(),
        freeze,
        runtime,
        armed: true,
    })
}

/// Waits for a thaw that is under way, as any other command would. Whether it has ended in that time.
async fn is_thawed_in_time(guest: &Guest) -> bool {
    let client = guest.client();
    let state = client.attachment::<State>();
    let end = after(client.options().command_timeout());
    let end = client.deadline().map_or(end, |limit| limit.min(end));
    !state.is_thawing() || state.thawed_by(end).await
}

/// Nothing was frozen.
fn undo(guard: Guard, error: Error) -> GuestError {
    lift(guard);
    error.into()
}

/// Ends a freeze that has frozen nothing.
fn lift(guard: Guard) {
    let state = guard.guest.client().attachment::<State>();
    state.lift(guard.freeze);
    guard.disarm();
}

/// Nobody may freeze what they cannot thaw: some agents (7.2 is one) have a thaw disabled also while
/// filesystems are frozen.
async fn can_thaw(guest: &Guest) -> Result<(), GuestError> {
    let text = "nothing is frozen: this client or its agent does not allow the thaw";
    let refused = || GuestError::InvalidInput(text.into());
    if !guest.client().allows(FsfreezeThaw::NAME) {
        return Err(refused());
    }
    let client = optional::answered_in_short(guest.client());
    match optional::answer(client.capabilities().await)? {
        Some(agent)
            if agent.is_enabled(FsfreezeFreeze::NAME) && !agent.is_enabled(FsfreezeThaw::NAME) =>
        {
            Err(refused())
        }
        _ => Ok(()),
    }
}
