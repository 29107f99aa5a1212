//! How often something is tried again.

use std::time::Duration;

use qga_core::Error;

use super::GuestError;
use crate::backoff::Backoff;

const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// How many attempts in a row may bring nothing.
const ATTEMPTS: u32 = 8;

/// The attempts that are left to something that the channel may fail.
pub(super) struct Retries {
    backoff: Backoff,
    left: u32,
    refusals: u32,
}

impl Retries {
    pub(super) fn new() -> Self {
        Self {
            backoff: Backoff::new(FIRST_PAUSE, LONGEST_PAUSE),
            left: ATTEMPTS - 1,
            refusals: 1,
        }
    }

    /// Waits until it may be tried again, through a pause of the client too; the error if it may not.
    ///
    /// An agent's refusal is forgiven once: one that was started anew knows no file that was
    /// open before, and its words for that are not to be relied on.
    pub(super) async fn wait_after(&mut self, error: GuestError) -> Result<(), GuestError> {
        let command = error.command_error();
        if command.is_some_and(Error::is_permanent) {
            return Err(error);
        }
        let pause = command.and_then(Error::retry_after);
        let left = match command.map(Error::agent_error) {
            // The file is opened again, by the agent that is there now.
            None if error.is_agent_gone() => &mut self.refusals,
            None => return Err(error),
            Some(None) if error.is_deadline() => return Err(error),
            Some(Some(refusal)) if refusal.is_command_not_found() => return Err(error),
            Some(Some(_)) => &mut self.refusals,
            Some(None) => &mut self.left,
        };
        if *left == 0 {
            return Err(error);
        }
        *left -= 1;
        self.backoff.pause_at_least(pause).await;
        Ok(())
    }
}
