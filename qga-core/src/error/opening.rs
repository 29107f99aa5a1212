//! Why a channel could not be opened, in words of our own.

use std::{fmt, io};

/// A sentence that says all there is to say, in the place of the system's words.
#[derive(Debug)]
pub(crate) struct Reason(String);

impl Reason {
    /// An error of this kind with these words.
    pub(crate) fn error(kind: io::ErrorKind, words: impl Into<String>) -> io::Error {
        io::Error::new(kind, Self(words.into()))
    }

    pub(crate) fn of(error: &io::Error) -> Option<&Self> {
        error.get_ref()?.downcast_ref()
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Reason {}
