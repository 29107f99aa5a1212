//! What kinds of failures there are, so that they can be counted.

use std::fmt;

use crate::error::{Error, ErrorKind, Stage};

/// The kind of a guest's failure, as a [`Summary`](super::Summary) counts it. As a text it is a part of a sentence,
/// such as `timed out`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum FailureKind {
    /// The address cannot be read.
    BadAddress,
    /// The channel cannot be opened, or ended before the agent had answered: nobody listens, another program holds its
    /// lock, or this user may not open it.
    NotReached,
    /// The time was not enough.
    Timeout,
    /// The machine does not run.
    MachineStopped,
    /// The other side closed the channel.
    Closed,
    /// The agent refused a command, since it does not know it, has it disabled, or is frozen.
    Refused,
    /// The client refused to send a command.
    NotAllowed,
    /// A command failed in the guest.
    AgentError,
    /// A reply cannot be used.
    BadReply,
    /// Anything else.
    Other,
}

/// An error of the work that is done with each guest, of which a [`Summary`](super::Summary) knows the kind; see
/// [`Fleet::run_with`](super::Fleet::run_with).
pub trait FleetError: From<Error> {
    /// As what the error is counted.
    fn failure_kind(&self) -> FailureKind;
}

impl FleetError for Error {
    fn failure_kind(&self) -> FailureKind {
        match self.kind() {
            ErrorKind::Address(_) => FailureKind::BadAddress,
            _ if self.is_timeout() => FailureKind::Timeout,
            ErrorKind::MachineStopped(_) => FailureKind::MachineStopped,
            _ if self.stage() == Stage::Connect => FailureKind::NotReached,
            // It has never answered.
            ErrorKind::Closed(_) if self.stage() == Stage::Sync => FailureKind::NotReached,
            ErrorKind::Closed(_) => FailureKind::Closed,
            ErrorKind::SyncRefused(_) => FailureKind::Refused,
            ErrorKind::Agent(error) if error.is_command_not_found() => FailureKind::Refused,
            ErrorKind::NotAllowed(_) => FailureKind::NotAllowed,
            ErrorKind::Agent(_) | ErrorKind::Unattributed(_) => FailureKind::AgentError,
            ErrorKind::TooMuchSkipped { .. } => FailureKind::BadReply,
            _ if self.is_bad_reply() => FailureKind::BadReply,
            _ => FailureKind::Other,
        }
    }
}

impl fmt::Display for FailureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::BadAddress => "with a bad address",
            Self::NotReached => "not reached",
            Self::Timeout => "timed out",
            Self::MachineStopped => "on machines that do not run",
            Self::Closed => "closed the channel",
            Self::Refused => "refused",
            Self::NotAllowed => "not allowed by the client",
            Self::AgentError => "with an error in the guest",
            Self::BadReply => "with a bad reply",
            Self::Other => "for another reason",
        })
    }
}
