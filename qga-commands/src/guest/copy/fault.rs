//! Why a copy failed.

use std::error::Error as _;
use std::time::Duration;
use std::{fmt, io};

use qga_core::Excerpt;

use crate::guest::GuestError;
use crate::guest::process::Output;

/// Why a copy failed; [`GuestError::Copy`] has the path with it.
#[derive(Debug)]
#[non_exhaustive]
pub enum CopyFault {
    /// An operation on the guest.
    Guest(Box<GuestError>),
    /// A program of the guest that was to prepare or to end the copy: how it ended and what it
    /// said.
    Program(Output),
    /// An operation on a file of this host.
    Local(io::Error),
    /// The checksums in the guest and on this host differ.
    Mismatch,
    /// A name that must not or cannot be used. The text says why.
    UnsafeName(&'static str),
    /// It is not as long as it was when it was listed. The text says in which way.
    Changed(&'static str),
    /// It is more than may be copied. The text says in which way.
    TooMuch(&'static str),
    /// It cannot be copied from or to there; nothing was done. The text says why.
    Refused(&'static str),
    /// The time given was not enough.
    Deadline(Duration),
}

impl CopyFault {
    pub(super) fn at(self, path: impl Into<String>) -> GuestError {
        GuestError::Copy {
            path: path.into(),
            fault: Box::new(self),
        }
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
            Self::Changed(how) | Self::TooMuch(how) | Self::Refused(how) => f.write_str(how),
            Self::Deadline(deadline) => write!(f, "it did not end within {deadline:?}"),
        }
    }
}
