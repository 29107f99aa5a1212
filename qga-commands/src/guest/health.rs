//! Whether a guest is well.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use qga_core::{Error, ErrorKind, QgaCommand as _, RetryClass};
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use super::Guest;
use super::presence::Presence;
use crate::commands::agent::Ping;
use crate::commands::fs::{FsfreezeStatus, GuestFsfreezeStatus};
use crate::optional;

/// How long an agent that is well may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);
/// How long an answer is given again.
const FRESH: Duration = Duration::from_secs(1);

/// The state of a guest, and the error that led to it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Health {
    /// The state.
    pub state: HealthState,
    /// The error of the question that failed, if one did.
    pub cause: Option<Arc<Error>>,
}

/// The state of a guest, as far as its agent's channel shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HealthState {
    /// No machine runs there: nobody listens on the agent's channel, or the channel closes each time.
    Absent,
    /// The channel is open, but no agent has answered this client's questions for health so far. The guest boots, has
    /// no agent, or another program uses the channel.
    Starting,
    /// The agent has answered before and does not answer now, or other commands of this client are still under way.
    /// The agent is at work, or its machine is paused or reboots.
    Busy,
    /// The agent answers, and its filesystems are frozen.
    Frozen,
    /// The agent answers.
    Ready,
    /// The state is not known, since this host cannot open the channel, for example because it lacks the permission,
    /// or the [deadline](Guest::within) of the handle has passed. [`Health::cause`] has the error.
    Unknown,
}

/// What a guest's clones know of its health.
#[derive(Debug, Default)]
struct Known {
    /// Whether an agent has ever answered.
    answered: AtomicBool,
    /// Locked while somebody asks, so that others wait for the answer.
    last: Mutex<Option<Answer>>,
}

#[derive(Debug)]
struct Answer {
    at: Instant,
    /// Whether this client had frozen the guest.
    frozen: bool,
    health: Health,
}

impl Guest {
    /// Asks for the state of the guest. That takes at most two questions, each of which may take 2 seconds.
    ///
    /// The answer is kept for a second: within that time, this guest and its clones return it without asking again.
    /// Calls at the same time share one question. While the client [pauses](super::GuestBuilder::pauses), because the
    /// channel cannot be opened, `health` fails to ask and answers at once.
    ///
    /// # Cancel safety
    ///
    /// Nothing is changed in the guest.
    pub async fn health(&self) -> Health {
        let known = self.client.attachment::<Known>();
        // Somebody else's question may be begun and left alone.
        let mut last = timeout(2 * ANSWER_TIMEOUT, known.last.lock()).await.ok();
        let frozen = self.is_frozen();
        if let Some(answer) = last.as_deref().and_then(Option::as_ref)
            && answer.at.elapsed() < FRESH
            && answer.frozen == frozen
        {
            return answer.health.clone();
        }
        let health = self.ask_for_health(&known.answered).await;
        let was_cut_off = health
            .cause
            .as_ref()
            .is_some_and(|error| error.is_deadline());
        if let Some(last) = last.as_deref_mut()
            && !was_cut_off
        {
            *last = Some(Answer {
                at: Instant::now(),
                frozen,
                health: health.clone(),
            });
        }
        health
    }

    async fn ask_for_health(&self, answered: &AtomicBool) -> Health {
        let (state, cause) = match self.ask_for_state().await {
            Ok(state) => {
                answered.store(true, Ordering::Relaxed);
                (state, None)
            }
            Err(error) => {
                let state = state_after(&error, answered.load(Ordering::Relaxed));
                (state, Some(Arc::new(error)))
            }
        };
        Health { state, cause }
    }

    async fn ask_for_state(&self) -> Result<HealthState, Error> {
        let options = self.client.options().timeout(ANSWER_TIMEOUT);
        // A channel that was just lost is opened again, whatever else may be sent again.
        let options = options.retry(RetryClass::Safe).wait_for_channel(false);
        let client = self.client.with_options(options);
        if client.allows(Ping::NAME) {
            client.execute(Ping).await?;
        } else {
            client.sync().await?;
        }
        match client.execute(FsfreezeStatus).await {
            Ok(GuestFsfreezeStatus::Frozen) => Ok(HealthState::Frozen),
            Ok(_) => Ok(HealthState::Ready),
            // An agent may lack or forbid the question or leave it unanswered, a client may forbid it too,
            // and the agent has answered before.
            Err(error) if optional::is_unanswered(&error) => Ok(HealthState::Ready),
            Err(error) => Err(error),
        }
    }
}

fn state_after(error: &Error, answered: bool) -> HealthState {
    let is_refusal = matches!(
        error.kind(),
        ErrorKind::Agent(_) | ErrorKind::SyncRefused(_)
    );
    match Presence::after(error) {
        // That says how much time this handle had left, and nothing of the guest.
        _ if error.is_deadline() => HealthState::Unknown,
        Presence::Queued => HealthState::Busy,
        Presence::Absent | Presence::HangsUp | Presence::Ended => HealthState::Absent,
        Presence::Untold => HealthState::Unknown,
        Presence::Speaks if is_refusal => HealthState::Ready,
        Presence::Silent | Presence::Speaks if answered => HealthState::Busy,
        Presence::Silent | Presence::Speaks => HealthState::Starting,
    }
}

impl fmt::Display for HealthState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Absent => "absent",
            Self::Starting => "starting",
            Self::Busy => "busy",
            Self::Frozen => "frozen",
            Self::Ready => "ready",
            Self::Unknown => "unknown",
        })
    }
}
