//! Waiting for a channel that was lost, for a caller who wants that.

use std::time::{Duration, Instant};

use super::recovery::LONGEST_WAIT;
use super::retry::{Repeat, TRIES, following};
use crate::error::{Error, ErrorKind, Execution};
use crate::protocol::Budget;

/// How long to wait after a first failure, which the client does not pause for.
const FIRST_PAUSE: Duration = Duration::from_millis(200);

/// What a caller has been told so far who may wait for the channel.
pub(crate) struct Waiting {
    deadline: Instant,
    waits: bool,
    repeat: Repeat,
    before: Option<Error>,
    /// How often the command was sent.
    pub(crate) sent: u32,
}

impl Waiting {
    pub(crate) fn new(budget: &Budget, waits: bool, repeat: Repeat) -> Self {
        Self {
            deadline: budget.deadline,
            waits,
            repeat,
            before: None,
            sent: 0,
        }
    }

    /// Until when to wait before it may be tried again; the error if it may not.
    pub(crate) fn for_channel(&mut self, error: Error, now: Instant) -> Result<Instant, Error> {
        let end = match self.next_try(&error, now) {
            Some(end) if end < self.deadline => end,
            _ => return Err(self.after(error)),
        };
        let error = self.after(error);
        self.before = (!error.is_not_allowed()).then_some(error);
        Ok(end)
    }

    /// An error that comes after others, which may have told of a command that was sent.
    pub(crate) fn after(&mut self, error: Error) -> Error {
        following(self.before.take(), error)
    }

    /// When to try again.
    fn next_try(&self, error: &Error, now: Instant) -> Option<Instant> {
        // What came while this waited for the channel may be about to end.
        if error.is_not_allowed() {
            return Some(now);
        }
        if !self.waits || error.is_permanent() || !self.may_send_again(error) {
            return None;
        }
        let pause = match error.retry_after() {
            Some(pause) => pause.min(LONGEST_WAIT),
            None if is_missing(error) => FIRST_PAUSE,
            None => return None,
        };
        now.checked_add(pause)
    }

    fn may_send_again(&self, error: &Error) -> bool {
        let is_unsent = error.execution() == Execution::NotRun;
        is_unsent || (self.repeat == Repeat::Lost && self.sent < TRIES)
    }
}

/// Whether there is no channel, rather than one that does not answer.
fn is_missing(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Open(_) | ErrorKind::NotASocket | ErrorKind::Closed(_)
    )
}
