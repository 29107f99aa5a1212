//! A guest that is not ready.

use std::time::Duration;

use qga_core::{Address, Error, ErrorKind, Power};

use crate::guest::GuestError;
use crate::guest::error::{CheckError, ReadyStage, command_error_of};
use crate::guest::machine::Machine;
use crate::guest::presence::Presence;

pub(super) type Attempt<T> = Result<T, NotReady>;

/// A guest that is not ready, and why.
pub(super) struct NotReady {
    stage: ReadyStage,
    cause: Option<CheckError>,
    /// The time was up before it was known.
    cut_off: bool,
}

impl NotReady {
    pub(super) fn new(stage: ReadyStage, cause: impl Into<CheckError>) -> Self {
        Self {
            cause: Some(cause.into()),
            ..Self::at(stage)
        }
    }

    pub(super) fn at(stage: ReadyStage) -> Self {
        Self {
            stage,
            cause: None,
            cut_off: false,
        }
    }

    pub(super) fn cut_off(stage: ReadyStage) -> Self {
        Self {
            cut_off: true,
            ..Self::at(stage)
        }
    }

    /// An agent that was asked and did not answer. Whether it had less time than the client gives.
    pub(super) fn unanswered(error: Error, was_short: bool) -> Self {
        let stage = match (Presence::after(&error), error.kind()) {
            (Presence::Ended, _) => ReadyStage::Ended,
            (_, ErrorKind::NotAllowed(_) | ErrorKind::SyncRefused(_)) => ReadyStage::Refused,
            (Presence::Absent | Presence::Untold, _) => ReadyStage::Connect,
            _ => ReadyStage::Ping,
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

    /// A machine that has stopped since the guest is waited for is not waited for. One that was off before may be about to
    /// be switched on.
    pub(super) fn heed(&mut self, machine: &mut Machine) {
        let cause = self.cause.as_deref();
        let error = cause.and_then(|cause| command_error_of(cause));
        if let Some(power) = error.and_then(Error::machine_stopped)
            && (power != Power::Off || machine.power() == Power::Off)
        {
            self.stage = ReadyStage::Stopped(power);
        }
    }

    pub(super) fn into_error(self, timeout: Duration, address: Option<Address>) -> GuestError {
        GuestError::NotReady {
            stage: self.stage,
            timeout,
            address: address.map(Box::new),
            source: self.cause,
        }
    }
}

impl Default for NotReady {
    fn default() -> Self {
        Self::at(ReadyStage::Ping)
    }
}
