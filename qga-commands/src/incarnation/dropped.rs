//! Files that nobody has any more and that are still open in the guest.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::Owned;

/// Files that were dropped without a close, to be closed by the next operation.
#[derive(Debug, Default)]
pub(crate) struct Dropped(Mutex<Waiting>);

#[derive(Debug, Default)]
struct Waiting {
    files: VecDeque<Arc<Owned>>,
    /// How many closes in a row were not answered.
    unanswered: u32,
    /// Until when it is no use to close files.
    rest: Option<Instant>,
}

/// After so many closes in a row without an answer, none is tried for a while.
const MOST_UNANSWERED: u32 = 2;
/// How long no file is closed then that somebody has dropped.
const REST: Duration = Duration::from_secs(60);

impl Dropped {
    pub(crate) fn push(&self, file: Arc<Owned>) {
        self.lock().files.push_back(file);
    }

    /// The next one to be closed.
    pub(crate) fn take(&self) -> Option<Arc<Owned>> {
        if self.rests() {
            return None;
        }
        self.lock().files.pop_front()
    }

    /// What became of a close.
    pub(crate) fn tried(&self, is_answered: bool) {
        let mut waiting = self.lock();
        waiting.unanswered = if is_answered {
            0
        } else {
            waiting.unanswered + 1
        };
        if waiting.unanswered >= MOST_UNANSWERED {
            waiting.rest = Some(Instant::now() + REST);
        }
    }

    /// Whether the agent does not answer to closes, so that none is tried for a while.
    pub(crate) fn rests(&self) -> bool {
        self.lock().rest.is_some_and(|end| Instant::now() < end)
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
