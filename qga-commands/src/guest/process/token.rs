//! What a process is found by again.

use std::fmt;
use std::str::FromStr;

use super::Process;
use crate::guest::{Guest, GuestError};
use crate::incarnation::{AgentResource, Fingerprint, Owned};
use qga_core::Execution;

/// What a process of a guest is found by again, also from another program: its number, and which agent has started it.
///
/// Shown as text, it is one word that no shell takes for anything else, such as
/// `4711@8f3a9c12e4b7d1a0.5d0c77aa10fe3344`. Where the agent's system does not tell which agent it is, as in Windows, it
/// is the number alone; so it is also read from a number.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ProcessToken {
    pid: i64,
    agent: Option<Fingerprint>,
}

impl ProcessToken {
    pub(super) fn of(owned: &Owned) -> Self {
        Self {
            pid: owned.number(),
            agent: owned.fingerprint(),
        }
    }

    /// The process's number in the guest.
    #[must_use]
    pub fn pid(&self) -> i64 {
        self.pid
    }

    /// Whether it tells which agent has started the process, so that no process of another agent is taken for it.
    #[must_use]
    pub fn names_agent(&self) -> bool {
        self.agent.is_some()
    }
}

impl Guest {
    /// Attaches to a program that was started earlier, by its token. The guest is asked which agent answers, unless the
    /// token does not [tell](ProcessToken::names_agent) which one it was.
    ///
    /// # Errors
    ///
    /// - [`GuestError::AgentGone`] if another agent answers than the one that has started the program. Nothing was asked
    ///   of its processes.
    /// - [`GuestError::Unsupported`] if the agent does not tell any more which one it is. Attach by the
    ///   [number](Self::process) then, if you know that it is the same.
    /// - [`GuestError::Command`] if the agent cannot be asked.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost.
    pub async fn attach(&self, token: &ProcessToken) -> Result<Process, GuestError> {
        let Some(fingerprint) = &token.agent else {
            return Ok(self.process(token.pid));
        };
        let what = AgentResource::Process(token.pid);
        match self.recognize(fingerprint).await? {
            // It has started the process, so it has forgotten it if it does not know it.
            Some(agent) => Ok(Process::new(
                self.clone(),
                Owned::new(what, Some(agent)),
                true,
            )),
            None => Err(GuestError::AgentGone {
                what,
                execution: Execution::MaybeRun,
            }),
        }
    }
}

impl fmt::Display for ProcessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.agent {
            Some(agent) => write!(f, "{}@{agent}", self.pid),
            None => write!(f, "{}", self.pid),
        }
    }
}

/// # Errors
///
/// [`GuestError::InvalidInput`] if it is neither a token nor a number.
impl FromStr for ProcessToken {
    type Err = GuestError;

    fn from_str(text: &str) -> Result<Self, GuestError> {
        let invalid = || {
            let text = format!(
                "{text:?} is neither a token of a process, as in 4711@8f3a9c12e4b7d1a0.-, nor its number"
            );
            GuestError::InvalidInput(text.into())
        };
        let (pid, agent) = match text.split_once('@') {
            Some((pid, agent)) => (pid, Some(agent.parse().map_err(|()| invalid())?)),
            None => (text, None),
        };
        let pid = pid.parse().ok().filter(|pid| *pid > 0);
        Ok(Self {
            pid: pid.ok_or_else(invalid)?,
            agent,
        })
    }
}
