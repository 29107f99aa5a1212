//! Waiting for a channel that was lost, for a caller who wants that.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::channel::TRIES;
use crate::connection::{Repeat, Terms};
use crate::deadline::after;
use crate::error::{Error, ErrorKind, Execution};
use crate::reconnect::LONGEST_WAIT;

/// How long to wait after a first failure, which the client does not pause for.
const FIRST_PAUSE: Duration = Duration::from_millis(200);

/// What a caller has been told so far who may wait for the channel.
pub(super) struct Waiting<'a> {
    terms: &'a Terms,
    before: Option<Error>,
    /// How often the command was sent.
    pub(super) sent: u32,
}

impl<'a> Waiting<'a> {
    pub(super) fn new(terms: &'a Terms) -> Self {
        Self {
            terms,
            before: None,
            sent: 0,
        }
    }

    /// Waits until it may be tried again; the error if it may not.
    pub(super) async fn for_channel(&mut self, error: Error) -> Result<(), Error> {
        let end = match self.next_try(&error) {
            Some(end) if end < self.terms.wait.deadline => end,
            _ => return Err(self.after(error)),
        };
        let error = self.after(error);
        self.before = (!error.is_not_allowed()).then_some(error);
        sleep_until(end).await;
        Ok(())
    }

    /// An error that comes after others, which may have told of a command that was sent.
    pub(super) fn after(&mut self, error: Error) -> Error {
        match self.before.take() {
            Some(before) if error.is_not_allowed() => before,
            Some(before) if before.execution() == Execution::MaybeRun => error.after_maybe_run(),
            _ => error,
        }
    }

    /// When to try again.
    fn next_try(&self, error: &Error) -> Option<Instant> {
        // What came while this waited for the channel may be about to end.
        if error.is_not_allowed() {
            return Some(Instant::now());
        }
        if !self.terms.waits || error.is_permanent() || !self.may_send_again(error) {
            return None;
        }
        let pause = match error.retry_after() {
            Some(pause) => pause.min(LONGEST_WAIT),
            None if is_missing(error) => FIRST_PAUSE,
            None => return None,
        };
        Some(after(pause))
    }

    fn may_send_again(&self, error: &Error) -> bool {
        let is_unsent = error.execution() == Execution::NotRun;
        is_unsent || (self.terms.repeat == Repeat::Lost && self.sent < TRIES)
    }
}

/// Whether there is no channel, rather than one that does not answer.
fn is_missing(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Open(_) | ErrorKind::NotASocket | ErrorKind::Closed(_)
    )
}
