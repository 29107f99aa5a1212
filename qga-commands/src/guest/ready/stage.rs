//! How far a guest has come.

use std::fmt;
use std::time::Duration;

use qga_core::{Address, Error};

use super::CheckError;
use crate::capabilities::Refusal;
use crate::guest::GuestError;
use crate::guest::error::command_error_of;

/// How far a guest has come that did not become ready: what it was waited for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stage {
    /// Its agent could not be reached.
    Connect,
    /// Its agent did not answer.
    Ping,
    /// Its agent refuses a command.
    Command(Refusal),
    /// A check of the caller's did not succeed: the first is 1.
    Check(usize),
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
            stage,
            cause: Some(cause.into()),
            cut_off: false,
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

    /// Takes a later one. One that was cut off says nothing new unless it came further.
    pub(super) fn replace_by(&mut self, later: Self) {
        if !later.cut_off || later.stage.rank() > self.stage.rank() {
            *self = later;
        }
    }

    /// Whether it is no use to wait.
    pub(super) fn is_for_good(&self) -> bool {
        let cause = self.cause.as_deref();
        let error = cause.and_then(|cause| command_error_of(cause));
        matches!(&self.stage, Stage::Command(refusal) if refusal.is_for_good())
            || error.is_some_and(Error::is_deadline)
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
    fn rank(&self) -> usize {
        match self {
            Self::Connect => 0,
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

pub(super) fn unreachable_or_silent(error: Error) -> Short {
    let stage = match error.stage() {
        qga_core::Stage::Connect => Stage::Connect,
        _ => Stage::Ping,
    };
    Short::new(stage, error)
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect => f.write_str("its agent cannot be reached"),
            Self::Ping => f.write_str("its agent does not answer"),
            Self::Command(refusal) => refusal.fmt(f),
            Self::Check(number) => write!(f, "check {number} does not succeed"),
        }
    }
}
