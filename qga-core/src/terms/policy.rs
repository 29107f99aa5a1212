//! What is refused on the host, before it is sent.

use std::borrow::Cow;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::error::{Error, ErrorKind, Execution, Stage};

/// What may pass to the agent through all clones of a client.
pub(crate) struct Policy {
    lists: Lists,
    /// Whether there are holds, so that a policy without any costs next to nothing.
    held: AtomicBool,
    holds: Mutex<Vec<Entry>>,
    waiting: Arc<dyn AwaitHolds>,
}

/// Those who wait until a command is held back no more.
pub(crate) trait AwaitHolds: Send + Sync {
    fn hold_ended(&self);
}

/// What a client was made to allow; this never changes. Most clients allow all, and need no room for it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lists(Option<Box<Names>>);

#[derive(Clone, Debug, Default)]
struct Names {
    /// In order. None allows all.
    allow: Option<Vec<String>>,
    /// In order.
    deny: Vec<String>,
    /// Why nothing may run.
    refuses_all: Option<&'static str>,
}

impl Lists {
    pub(crate) fn allow<N: Into<String>>(&mut self, names: impl IntoIterator<Item = N>) {
        let allowed = self.names().allow.get_or_insert_default();
        allowed.extend(names.into_iter().map(Into::into));
        allowed.sort_unstable();
    }

    pub(crate) fn deny<N: Into<String>>(&mut self, names: impl IntoIterator<Item = N>) {
        let denied = &mut self.names().deny;
        denied.extend(names.into_iter().map(Into::into));
        denied.sort_unstable();
    }

    pub(super) fn refuse_all(&mut self, reason: &'static str) {
        self.names().refuses_all = Some(reason);
    }

    fn names(&mut self) -> &mut Names {
        self.0.get_or_insert_default()
    }

    /// Why a command never runs.
    fn refusal(&self, command: &str) -> Option<&'static str> {
        let names = self.0.as_ref()?;
        if names.refuses_all.is_some() {
            return names.refuses_all;
        }
        if contains(&names.deny, command) {
            return Some("this client is made to deny it");
        }
        let allowed = names.allow.as_ref();
        let is_allowed = allowed.is_none_or(|allowed| contains(allowed, command));
        (!is_allowed).then_some("this client is made to allow other commands only")
    }
}

/// Whether a name is one of those that are in order.
fn contains(names: &[String], name: &str) -> bool {
    let found = names.binary_search_by(|other| other.as_str().cmp(name));
    found.is_ok()
}

struct Entry {
    id: u64,
    reason: Cow<'static, str>,
    runs: Box<Runs>,
    /// Whether it is about to end.
    ends_soon: bool,
}

/// Says of a command whether it runs while others are held back.
type Runs = dyn Fn(&str) -> bool + Send + Sync;

/// Why a command may not be sent.
pub(crate) struct Refusal {
    reason: Cow<'static, str>,
    lasts: Lasts,
}

/// For how long a command may not be sent.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lasts {
    ForGood,
    WhileHeld,
    /// A hold that is about to end.
    NotLong,
}

/// Holds commands back, through all clones of a client, until it is dropped; made by
/// [`Client::hold`](crate::Client::hold).
#[must_use = "commands are held back only as long as this lives"]
pub struct Hold {
    policy: Arc<Policy>,
    id: u64,
}

impl Policy {
    /// `waiting` are told whenever a hold has ended.
    pub(crate) fn new(lists: Lists, waiting: Arc<dyn AwaitHolds>) -> Self {
        Self {
            lists,
            held: AtomicBool::new(false),
            holds: Mutex::default(),
            waiting,
        }
    }

    /// Whether a command may be sent.
    #[inline]
    pub(crate) fn check(&self, command: &str) -> Result<(), Error> {
        self.refusal(command)
            .map_or(Ok(()), |refusal| Err(refusal.into_error()))
    }

    /// Why a command may not be sent.
    #[inline]
    pub(crate) fn refusal(&self, command: &str) -> Option<Refusal> {
        if self.lists.0.is_none() && !self.held.load(Ordering::Acquire) {
            return None;
        }
        self.find_refusal(command)
    }

    fn find_refusal(&self, command: &str) -> Option<Refusal> {
        if let Some(reason) = self.lists.refusal(command) {
            return Some(Refusal {
                reason: reason.into(),
                lasts: Lasts::ForGood,
            });
        }
        if !self.held.load(Ordering::Acquire) {
            return None;
        }
        let holds = self.holds();
        let against = |hold: &&Entry| !(hold.runs)(command);
        let lasting = |hold: &&Entry| against(hold) && !hold.ends_soon;
        let hold = holds.iter().find(lasting);
        let hold = hold.or_else(|| holds.iter().find(against))?;
        Some(Refusal {
            reason: hold.reason.clone(),
            lasts: if hold.ends_soon {
                Lasts::NotLong
            } else {
                Lasts::WhileHeld
            },
        })
    }

    pub(crate) fn hold(self: &Arc<Self>, reason: Cow<'static, str>, runs: Box<Runs>) -> Hold {
        let mut holds = self.holds();
        let id = holds.last().map_or(0, |last| last.id + 1);
        holds.push(Entry {
            id,
            reason,
            runs,
            ends_soon: false,
        });
        self.held.store(true, Ordering::Release);
        drop(holds);
        let policy = Arc::clone(self);
        Hold { policy, id }
    }

    fn lift(&self, id: u64) {
        let mut holds = self.holds();
        holds.retain(|hold| hold.id != id);
        self.held.store(!holds.is_empty(), Ordering::Release);
        drop(holds);
        self.waiting.hold_ended();
    }

    fn ends_soon(&self, id: u64) {
        let mut holds = self.holds();
        if let Some(hold) = holds.iter_mut().find(|hold| hold.id == id) {
            hold.ends_soon = true;
        }
    }

    fn holds(&self) -> MutexGuard<'_, Vec<Entry>> {
        // A panic in a caller's `runs` leaves the list as it was.
        self.holds.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Refusal {
    /// Whether it is about to end, so that it may be waited for.
    pub(crate) fn ends_soon(&self) -> bool {
        self.lasts == Lasts::NotLong
    }

    pub(crate) fn into_error(self) -> Error {
        let kind = ErrorKind::NotAllowed(self.reason);
        let error = Error::new(Stage::Send, Execution::NotRun, kind);
        match self.lasts {
            Lasts::ForGood => error.permanent(),
            Lasts::WhileHeld | Lasts::NotLong => error,
        }
    }
}

impl Hold {
    /// Says that the hold is about to end, since what it was for is being undone: commands that come from now
    /// on wait for its end, each within its own [timeout](crate::Options::timeout), instead of failing at
    /// once.
    ///
    /// ```no_run
    /// # async fn undo() {}
    /// # async fn example(client: qga_core::Client) {
    /// let hold = client.hold("an update is under way", |command| command == "guest-ping");
    /// hold.ends_soon();
    /// undo().await; // other tasks' commands wait meanwhile
    /// drop(hold);
    /// # }
    /// ```
    pub fn ends_soon(&self) {
        self.policy.ends_soon(self.id);
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.policy.lift(self.id);
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

#[cfg(test)]
mod tests;
