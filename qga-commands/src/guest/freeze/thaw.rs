//! Thawing, until it has succeeded.

use std::time::Duration;

use qga_core::{AgentError, Error};
use tokio::time::{Instant, timeout_at};

use super::State;
use crate::capabilities::ClientExt as _;
use crate::fs::{FsfreezeStatus, FsfreezeThaw, GuestFsfreezeStatus};
use crate::guest::backoff::Backoff;
use crate::guest::{Guest, GuestError};

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
    /// Whether as many filesystems were thawed as had been frozen. If not, somebody else has thawed
    /// them before, or Windows has by itself, and a snapshot may not be consistent.
    ///
    /// False where a number is not known.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.frozen.is_some() && self.frozen == self.thawed
    }
}

/// Thaws, again and again until it has succeeded or the time is up.
pub(super) async fn thaw(
    guest: &Guest,
    frozen: Option<i64>,
    patience: Duration,
) -> Result<Thawed, GuestError> {
    let end = Instant::now() + patience;
    let mut backoff = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);
    let mut sure = true;
    loop {
        let error = match guest.client().execute(FsfreezeThaw).await {
            Ok(count) => {
                let thawed = sure.then_some(count);
                let error = None;
                return Ok(done(
                    guest,
                    Thawed {
                        frozen,
                        thawed,
                        error,
                    },
                )
                .await);
            }
            Err(error) => error,
        };
        // An answer that was lost may have had the number; the next one then says 0.
        sure &= error.execution() == qga_core::Execution::NotRun;
        if error.agent_error().is_some() && is_thawed(guest).await {
            let (thawed, error) = (None, error.agent_error().cloned());
            return Ok(done(
                guest,
                Thawed {
                    frozen,
                    thawed,
                    error,
                },
            )
            .await);
        }
        if timeout_at(end, backoff.pause()).await.is_err() {
            return Err(GuestError::MaybeFrozen { source: error });
        }
    }
}

async fn done(guest: &Guest, thawed: Thawed) -> Thawed {
    guest.client().attachment::<State>().thaw();
    guest.client().forget_capabilities().await;
    thawed
}

/// An agent that refuses both commands cannot have frozen anything.
async fn is_thawed(guest: &Guest) -> bool {
    match status(guest).await {
        Ok(status) => status == GuestFsfreezeStatus::Thawed,
        Err(error) => error.is_command_not_found(),
    }
}

/// Asks, in several attempts if need be.
pub(super) async fn status(guest: &Guest) -> Result<GuestFsfreezeStatus, Error> {
    let mut backoff = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);
    let mut left = ATTEMPTS;
    loop {
        match guest.client().execute(FsfreezeStatus).await {
            Err(error) if error.agent_error().is_none() && left > 1 => left -= 1,
            result => return result,
        }
        backoff.pause().await;
    }
}
