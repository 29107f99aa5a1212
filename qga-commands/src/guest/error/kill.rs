//! What became of a program that took too long.

use std::fmt;

/// Whether a program that did not end in time was killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kill {
    /// It was not to be.
    NotAsked,
    /// It was, and the agent has told its end.
    Killed,
    /// It was tried, and it is not known whether the program runs on.
    Unconfirmed,
}

impl fmt::Display for Kill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotAsked => "it was left running",
            Self::Killed => "it was killed",
            Self::Unconfirmed => "it was to be killed, and may run on",
        })
    }
}
