//! What became of a program that took too long.

use std::fmt;

/// Whether a program that did not end in time was killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum KillOutcome {
    /// It was left running, since [`kill_on_drop`](crate::guest::process::Command::kill_on_drop) was not set.
    NotAsked,
    /// It was killed, and the agent has told its end.
    Killed,
    /// An attempt was made to kill it, and it is not known whether it still runs.
    Unconfirmed,
}

impl fmt::Display for KillOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotAsked => "it was left running",
            Self::Killed => "it was killed",
            Self::Unconfirmed => "it was to be killed, and may run on",
        })
    }
}
