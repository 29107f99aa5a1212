//! Thawing, until it has succeeded.

use std::time::Duration;

use qga_core::{AgentError, Error};
use tokio::time::{Instant, timeout_at};

use super::State;
use super::state::Number;
use crate::backoff::Backoff;
use crate::capabilities::ClientExt as _;
use crate::commands::fs::{FsfreezeStatus, FsfreezeThaw, GuestFsfreezeStatus};
use crate::guest::{Guest, GuestError};
use crate::optional;

/// How long somebody waits for a thaw.
pub(super) const SHORT: Duration = Duration::from_secs(90);
/// How long it is tried when nobody waits.
pub(super) const LONG: Duration = Duration::from_secs(600);

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// How often a status is asked for.
const ATTEMPTS: u32 = 3;

/// What came of a freeze and its thaw.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Thawed {
    /// How many filesystems had been frozen; `None` if that is not known.
    pub frozen: Option<i64>,
    /// How many were thawed; `None` if an answer was lost, so that it cannot be said.
    pub thawed: Option<i64>,
    /// What the agent said of a thaw that failed and after which nothing is frozen. Windows says so
    /// after 10 seconds, when it has let the guest write before.
    pub error: Option<AgentError>,
}

impl Thawed {
    /// Nothing was frozen, and nothing had to be thawed.
    pub(super) fn of_nothing() -> Self {
        Self {
            frozen: Some(0),
            thawed: Some(0),
            error: None,
        }
    }

    /// Whether at least as many filesystems were thawed as had been frozen. If not, somebody else has thawed
    /// them before, or Windows has by itself, and a snapshot may not be consistent. There are more if somebody else had
    /// frozen some past the agent, as with `fsfreeze` in the guest.
    ///
    /// False where a number is not known.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        match (self.frozen, self.thawed) {
            (Some(frozen), Some(thawed)) => thawed >= frozen,
            _ => false,
        }
    }
}

/// Thaws what this freeze has frozen, unless somebody else has done so.
pub(super) async fn thaw_freeze(
    guest: &Guest,
    freeze: Number,
    frozen: Option<i64>,
    patience: Duration,
) -> Result<Thawed, GuestError> {
    let state = guest.client().attachment::<State>();
    state.thaws(freeze);
    thaw_while(guest, || state.is_held_by(freeze), frozen, patience).await
}

/// Thaws whatever is frozen.
pub(super) async fn thaw(guest: &Guest, patience: Duration) -> Result<Thawed, GuestError> {
    thaw_while(guest, || true, None, patience).await
}

/// Thaws, again and again until it has succeeded, is not due any more, or the time is up.
async fn thaw_while(
    guest: &Guest,
    is_due: impl Fn() -> bool,
    frozen: Option<i64>,
    patience: Duration,
) -> Result<Thawed, GuestError> {
    let guest = &guest.persistent();
    let end = Instant::now() + patience;
    let mut backoff = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);
    let mut sure = true;
    let thawed = |thawed, error| Thawed {
        frozen,
        thawed,
        error,
    };
    while is_due() {
        let ended = guest.client().attachment::<State>().ended_by_thaw();
        let error = match guest.client().execute(FsfreezeThaw).await {
            Ok(count) => {
                done(guest, ended);
                return Ok(thawed(sure.then_some(count), None));
            }
            Err(error) => error,
        };
        // An answer that was lost may have had the number; the next one then says 0.
        sure &= error.execution() == qga_core::Execution::NotRun;
        if error.agent_error().is_some() && is_thawed(guest).await {
            done(guest, ended);
            return Ok(thawed(None, error.agent_error().cloned()));
        }
        let is_over = error.is_permanent() || error.is_deadline();
        if is_over || timeout_at(end, backoff.pause()).await.is_err() {
            return Err(GuestError::MaybeFrozen { source: error });
        }
    }
    Ok(thawed(sure.then_some(0), None))
}

fn done(guest: &Guest, ended: Option<Number>) {
    guest.client().attachment::<State>().thawed(ended);
    guest.client().forget_capabilities();
}

/// An agent that refuses both commands cannot have frozen anything. Without an answer the thaw is tried again.
async fn is_thawed(guest: &Guest) -> bool {
    let client = optional::in_short(guest.client());
    match client.execute(FsfreezeStatus).await {
        Ok(status) => status == GuestFsfreezeStatus::Thawed,
        Err(error) => error.is_command_not_found(),
    }
}

/// Asks, in several attempts if need be.
pub(super) async fn status(guest: &Guest) -> Result<GuestFsfreezeStatus, Error> {
    let guest = &guest.persistent();
    let mut backoff = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);
    let mut left = ATTEMPTS;
    loop {
        match guest.client().execute(FsfreezeStatus).await {
            Err(error) if error.is_permanent() => return Err(error),
            Err(error) if error.agent_error().is_none() && left > 1 => left -= 1,
            result => return result,
        }
        backoff.pause().await;
    }
}
