//! Why a copy failed.

use std::borrow::Cow;
use std::error::Error as _;
use std::time::Duration;
use std::{fmt, io};

use qga_core::{Excerpt, Execution};

use super::GuestError;
use crate::guest::output::Output;

/// Why a copy failed. [`GuestError::Copy`] tells the path too.
#[derive(Debug)]
#[non_exhaustive]
pub enum CopyFault {
    /// An operation on the guest failed.
    Guest(Box<GuestError>),
    /// A program of the guest that prepares or completes the copy failed. This is its output.
    Program(Output),
    /// An operation on a file of this host failed.
    Local(io::Error),
    /// The checksums in the guest and on this host differ.
    Mismatch,
    /// A name cannot be used, or it would be dangerous to use it. The text says why.
    UnsafeName(&'static str),
    /// The file or folder has changed since it was listed. The text says how, and what to do.
    Changed(Cow<'static, str>),
    /// There is more than may be copied. The text says what there is too much of, and what the limit is.
    TooMuch(Cow<'static, str>),
    /// It is impossible to copy from there, or to there, and nothing was done. The text says why.
    Refused(&'static str),
    /// The copy did not end within its [timeout](super::super::copy::Transfer::timeout), which this is.
    TimedOut(Duration),
}

impl CopyFault {
    pub(in crate::guest) fn at(self, path: impl Into<String>) -> GuestError {
        let execution = match &self {
            Self::Guest(error) => error.execution(),
            _ => Execution::NotRun,
        };
        GuestError::Copy {
            path: path.into(),
            fault: Box::new(self),
            execution,
        }
    }

    /// A file ended before it should have.
    pub(in crate::guest) fn shrunk(listed: u64, found: u64) -> Self {
        let text = format!(
            "it had {listed} bytes when it was listed, and ended after {found}: it was cut or \
             replaced meanwhile; copy it again when nobody changes it"
        );
        Self::Changed(text.into())
    }

    /// A file that was listed as empty does not end.
    pub(in crate::guest) fn endless(limit: u64) -> Self {
        let text = format!(
            "it was listed as empty, and has more than {limit} bytes: read it with `Guest::open`, or \
             copy it again if it has just been written"
        );
        Self::TooMuch(text.into())
    }

    /// Somebody else goes on with the same part.
    pub(in crate::guest) fn busy() -> Self {
        Self::Refused("another process goes on with the same copy; wait for its end")
    }

    pub(in crate::guest) fn too_many_bytes(limit: u64) -> Self {
        let text = format!("there are more than {limit} bytes; set `max_bytes` for more");
        Self::TooMuch(text.into())
    }

    pub(in crate::guest) fn guest_error(&self) -> Option<&GuestError> {
        match self {
            Self::Guest(error) => Some(error),
            _ => None,
        }
    }

    /// What lies below that which is shown already.
    pub(in crate::guest) fn cause(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Guest(error) => error.source(),
            Self::Local(error) => error.source(),
            _ => None,
        }
    }
}

/// Says which file an operation on the guest was about.
pub(in crate::guest) fn within(error: GuestError, path: &str) -> GuestError {
    match error {
        GuestError::Copy { .. } => error,
        error => CopyFault::Guest(Box::new(error)).at(path),
    }
}

/// Says that the guest was changed before this went wrong.
pub(in crate::guest) fn after_changes(error: GuestError) -> GuestError {
    match error {
        GuestError::Copy {
            path,
            fault,
            execution: Execution::NotRun,
        } => GuestError::Copy {
            path,
            fault,
            execution: Execution::Answered,
        },
        error => error,
    }
}

impl fmt::Display for CopyFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Guest(error) => error.fmt(f),
            Self::Program(output) => {
                let text = output.stderr_lossy();
                let text = Excerpt(text.trim());
                write!(
                    f,
                    "a program of the guest failed: {}, {text:?}",
                    output.status
                )
            }
            Self::Local(error) => write!(f, "on this host: {error}"),
            Self::Mismatch => f.write_str("the checksums differ"),
            Self::UnsafeName(why) => write!(f, "the name is not used: {why}"),
            Self::Changed(how) | Self::TooMuch(how) => f.write_str(how),
            Self::Refused(why) => f.write_str(why),
            Self::TimedOut(timeout) => write!(f, "it did not end within {timeout:?}"),
        }
    }
}
