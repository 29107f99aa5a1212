//! What goes wrong with a machine.

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use qga_commands::GuestError;
use qga_core::{Error, Power};

/// An operation on a machine has failed.
///
/// If the reason is another error, the message ends with the message of that error, and
/// [`source`](std::error::Error::source) returns the source of that error.
#[derive(Debug)]
#[non_exhaustive]
pub enum MachineError {
    /// The guest's agent, or an operation on the guest.
    Guest(GuestError),
    /// The monitor.
    Monitor(Error),
    /// The machine does not run, so waiting is of no use.
    Stopped(Power),
    /// The guest did not open the port of its agent in this time.
    PortClosed(Duration),
    /// The agent and the monitor are not those of one machine, or it cannot be shown that they are. The text says why.
    NotProven(String),
    /// The machine cannot do what was asked for, and nothing was changed. The text says what it lacks.
    Unsupported(String),
    /// A job of QEMU has failed.
    Job {
        /// What it was to do.
        what: &'static str,
        /// What QEMU says.
        reason: String,
    },
    /// Disks were copied, but it is not sure that their guest was frozen all the while, or not known whether it is thawed.
    /// The copies are where they were to be.
    Inconsistent {
        /// The copies.
        disks: Vec<super::DiskCopy>,
        /// Why, where an operation has failed.
        source: Option<Box<GuestError>>,
    },
}

impl MachineError {
    /// What the machine is in place of running, if that is what ended a wait.
    #[must_use]
    pub fn stopped(&self) -> Option<Power> {
        match self {
            Self::Stopped(power) => Some(*power),
            Self::Guest(error) => error.command_error()?.machine_stopped(),
            _ => None,
        }
    }

    /// Whether the time was not enough.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        match self {
            Self::Guest(error) => error.is_timeout(),
            Self::Monitor(error) => error.is_timeout(),
            Self::PortClosed(_) => true,
            _ => false,
        }
    }
}

impl fmt::Display for MachineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Guest(error) => error.fmt(f),
            Self::Monitor(error) => error.fmt(f),
            Self::Stopped(power) => write!(f, "there is nothing to wait for: the machine {power}"),
            Self::PortClosed(time) => write!(
                f,
                "the guest has not opened the port of its agent within {time:?}; is the agent installed and enabled there?"
            ),
            Self::NotProven(text) | Self::Unsupported(text) => f.write_str(text),
            Self::Job { what, reason } => write!(f, "{what}: QEMU says {reason:?}"),
            Self::Inconsistent { source, .. } => {
                f.write_str(
                    "the disks were copied, but it is not sure that their guest was frozen all the while",
                )?;
                match source {
                    Some(error) => write!(f, ": {error}"),
                    None => Ok(()),
                }
            }
        }
    }
}

impl StdError for MachineError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Guest(error) => error.source(),
            Self::Inconsistent { source, .. } => source.as_ref()?.source(),
            Self::Monitor(error) => error.source(),
            _ => None,
        }
    }
}

impl From<GuestError> for MachineError {
    fn from(error: GuestError) -> Self {
        Self::Guest(error)
    }
}

impl From<Error> for MachineError {
    fn from(error: Error) -> Self {
        Self::Monitor(error)
    }
}
