//! How far a guest has come.

use std::fmt;
use std::time::Duration;

use qga_core::{Address, Error, ErrorKind};

use super::CheckError;
use crate::capabilities::Refusal;
use crate::guest::GuestError;
use crate::guest::error::command_error_of;
use crate::guest::presence::Presence;

/// How far a guest has come that did not become ready: what it was waited for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stage {
    /// Nobody could be reached who would speak for its agent.
    Connect,
    /// Its agent did not answer.
    Ping,
    /// Its agent refuses a command.
    Command(Refusal),
    /// A check of the caller's did not succeed: the first is 1.
    Check(usize),
    /// Its channel has ended, and the client was made from a stream, which it cannot open again.
    Ended,
    /// What it takes to ask its agent is refused, by the agent or by what the client was made to refuse.
    Refused,
}

pub(super) type Attempt<T> = Result<T, Short>;

/// A guest that is not ready, and why.
pub(super) struct Short {
    stage: Stage,
    cause: Option<CheckError>,
    /// The time was up before it was known.
    cut_off: bool,
}

impl Short {
    pub(super) fn new(stage: Stage, cause: impl Into<CheckError>) -> Self {
        Self {
            cause: Some(cause.into()),
            ..Self::at(stage)
        }
    }

    pub(super) fn at(stage: Stage) -> Self {
        Self {
            stage,
            cause: None,
            cut_off: false,
        }
    }

    pub(super) fn cut_off(stage: Stage) -> Self {
        Self {
            cut_off: true,
            ..Self::at(stage)
        }
    }

    /// An agent that was asked and did not answer. Whether it had less time than the client gives.
    pub(super) fn unanswered(error: Error, was_short: bool) -> Self {
        let stage = match (Presence::after(&error), error.kind()) {
            (Presence::Ended, _) => Stage::Ended,
            (_, ErrorKind::NotAllowed(_) | ErrorKind::SyncRefused(_)) => Stage::Refused,
            (Presence::Absent | Presence::Untold, _) => Stage::Connect,
            _ => Stage::Ping,
        };
        Self {
            cut_off: was_short && error.is_timeout(),
            ..Self::new(stage, error)
        }
    }

    /// Takes a later one. One that was cut off says nothing new unless it came further.
    pub(super) fn replace_by(&mut self, later: Self) {
        let is_further = later.stage.rank() > self.stage.rank() || self.cause.is_none();
        if !later.cut_off || is_further {
            *self = later;
        }
    }

    /// Whether it is no use to wait.
    pub(super) fn is_for_good(&self) -> bool {
        let cause = self.cause.as_deref();
        let error = cause.and_then(|cause| command_error_of(cause));
        self.stage.is_for_good()
            || error.is_some_and(|error| error.is_permanent() || error.is_deadline())
    }

    pub(super) fn into_error(self, deadline: Duration, address: Option<Address>) -> GuestError {
        GuestError::NotReady {
            stage: self.stage,
            deadline,
            address,
            source: self.cause,
        }
    }
}

impl Stage {
    /// Whether it is no use to wait.
    pub(in crate::guest) fn is_for_good(&self) -> bool {
        match self {
            Self::Command(refusal) => refusal.is_for_good(),
            Self::Ended | Self::Refused => true,
            Self::Connect | Self::Ping | Self::Check(_) => false,
        }
    }

    fn rank(&self) -> usize {
        match self {
            Self::Connect | Self::Ended | Self::Refused => 0,
            Self::Ping => 1,
            Self::Command(_) => 2,
            Self::Check(number) => number.saturating_add(2),
        }
    }
}

impl Default for Short {
    fn default() -> Self {
        Self::at(Stage::Ping)
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect => f.write_str("its agent cannot be reached"),
            Self::Ended => {
                f.write_str("its channel has ended, and this client cannot open it again")
            }
            Self::Refused => f.write_str("what has to be asked is refused"),
            Self::Ping => f.write_str("its agent does not answer"),
            Self::Command(refusal) => refusal.fmt(f),
            Self::Check(number) => write!(f, "check {number} does not succeed"),
        }
    }
}
