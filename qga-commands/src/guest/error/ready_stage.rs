//! How far a guest has come.

use std::fmt;

use qga_core::Power;

use crate::capabilities::Refusal;

/// What a guest was waited for that did not become ready.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReadyStage {
    /// The channel of its agent could not be opened.
    Connect,
    /// Its agent did not answer.
    Ping,
    /// Its agent refuses a command.
    Command(Refusal),
    /// A check of the caller's did not succeed. This is its number, counted from 1.
    Check(usize),
    /// Its channel has ended, and it cannot be opened again, since the client was made from a stream.
    Ended,
    /// Its machine does not run, and is this instead; see [`Options::machine_timeout`](qga_core::Options::machine_timeout).
    Stopped(Power),
    /// A command that is needed to ask its agent is refused, by the agent or by the client's policy.
    Refused,
}

impl ReadyStage {
    /// Whether it is no use to wait.
    pub(in crate::guest) fn is_for_good(&self) -> bool {
        match self {
            Self::Command(refusal) => refusal.is_for_good(),
            Self::Ended | Self::Refused | Self::Stopped(_) => true,
            Self::Connect | Self::Ping | Self::Check(_) => false,
        }
    }

    /// A later stage has a higher one.
    pub(in crate::guest) fn rank(&self) -> usize {
        match self {
            Self::Connect | Self::Ended | Self::Refused | Self::Stopped(_) => 0,
            Self::Ping => 1,
            Self::Command(_) => 2,
            Self::Check(number) => number.saturating_add(2),
        }
    }
}

impl fmt::Display for ReadyStage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect => f.write_str("its agent cannot be reached"),
            Self::Ended => {
                f.write_str("its channel has ended, and this client cannot open it again")
            }
            Self::Stopped(power) => write!(f, "its machine {power}"),
            Self::Refused => f.write_str("what has to be asked is refused"),
            Self::Ping => f.write_str("its agent does not answer"),
            Self::Command(refusal) => refusal.fmt(f),
            Self::Check(number) => write!(f, "check {number} does not succeed"),
        }
    }
}
