//! What is undone in the background, where nobody is left to do it again.

use std::time::Duration;

use tokio::time::Instant;

use super::{Guest, GuestError};
use crate::backoff::{Backoff, after};

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// How long it is tried, over a channel that was lost too.
pub(super) const TIME: Duration = Duration::from_secs(600);

/// Something that is tried until it is done, cannot be done, or the time is up.
pub(super) struct CleanUp {
    guest: Guest,
    backoff: Backoff,
    end: Instant,
}

impl CleanUp {
    /// Begins when the guest's filesystems are not frozen by this client.
    pub(super) async fn begin(guest: &Guest) -> Self {
        guest.thawed().await;
        Self {
            guest: guest.without_deadline().persistent(),
            backoff: Backoff::new(FIRST_PAUSE, LONGEST_PAUSE),
            end: after(TIME),
        }
    }

    /// The guest to do it with.
    pub(super) fn guest(&self) -> Guest {
        self.guest.clone()
    }

    /// Whether to try again after this, once that is worth while. Nobody is left to hear of a failure.
    pub(super) async fn goes_on<T>(&mut self, result: Result<T, GuestError>) -> bool {
        let Err(error) = result else {
            return false;
        };
        if Instant::now() >= self.end || !may_pass(&error) {
            return false;
        }
        self.backoff.pause().await;
        self.guest.thawed().await;
        true
    }
}

/// Whether it is the channel that has failed, or a freeze has come in between.
fn may_pass(error: &GuestError) -> bool {
    let failed_by_channel = || {
        let error = error.command_error();
        error.is_some_and(|error| error.agent_error().is_none() && !error.is_permanent())
    };
    error.is_frozen() || failed_by_channel()
}
