//! What is refused on the host, before it is sent.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::error::{Error, ErrorKind, Execution, Stage};

/// What may pass to the agent through all clones of a client.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    policy: Policy,
    /// Whether there are holds, so that a gate without any costs next to nothing.
    held: AtomicBool,
    holds: Mutex<Vec<Entry>>,
}

/// What a client was made to allow; this never changes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Policy {
    /// None allows all.
    pub(crate) allow: Option<BTreeSet<String>>,
    pub(crate) deny: BTreeSet<String>,
}

struct Entry {
    id: u64,
    reason: Cow<'static, str>,
    runs: fn(&str) -> bool,
}

/// Holds commands back, through all clones of a client, until it is dropped; made by
/// [`Client::hold`](crate::Client::hold).
#[must_use = "commands are held back only as long as this lives"]
pub struct Hold {
    gate: Arc<Gate>,
    id: u64,
}

impl Gate {
    pub(crate) fn new(policy: Policy) -> Self {
        Self {
            policy,
            ..Self::default()
        }
    }

    /// Whether a command may be sent.
    pub(crate) fn check(&self, command: &str) -> Result<(), Error> {
        match self.refusal(command) {
            None => Ok(()),
            Some(reason) => {
                let kind = ErrorKind::NotAllowed(reason);
                Err(Error::new(Stage::Send, Execution::NotRun, kind))
            }
        }
    }

    fn refusal(&self, command: &str) -> Option<Cow<'static, str>> {
        if self.policy.deny.contains(command) {
            return Some("this client is made to deny it".into());
        }
        if let Some(allow) = &self.policy.allow
            && !allow.contains(command)
        {
            return Some("this client is made to allow other commands only".into());
        }
        if !self.held.load(Ordering::Acquire) {
            return None;
        }
        let holds = self.holds();
        let hold = holds.iter().find(|hold| !(hold.runs)(command))?;
        Some(hold.reason.clone())
    }

    pub(crate) fn hold(
        self: &Arc<Self>,
        reason: Cow<'static, str>,
        runs: fn(&str) -> bool,
    ) -> Hold {
        let mut holds = self.holds();
        let id = holds.last().map_or(0, |last| last.id + 1);
        holds.push(Entry { id, reason, runs });
        self.held.store(true, Ordering::Release);
        drop(holds);
        let gate = Arc::clone(self);
        Hold { gate, id }
    }

    fn lift(&self, id: u64) {
        let mut holds = self.holds();
        holds.retain(|hold| hold.id != id);
        self.held.store(!holds.is_empty(), Ordering::Release);
    }

    fn holds(&self) -> MutexGuard<'_, Vec<Entry>> {
        // A panic in a caller's `runs` leaves the list as it was.
        self.holds.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.gate.lift(self.id);
    }
}

impl fmt::Debug for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hold").finish_non_exhaustive()
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry")
            .field("reason", &self.reason)
            .finish_non_exhaustive()
    }
}
