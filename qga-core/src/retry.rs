//! When a command is sent again.

use crate::Retry;
use crate::error::{Error, ErrorKind, Execution};

/// After which failures a command is sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Repeat {
    Never,
    /// Where nothing of it was sent.
    Unsent,
    /// After any failure of the channel.
    Lost,
}

impl Repeat {
    pub(crate) fn of(class: Retry, most_daring: Retry) -> Self {
        match (class, most_daring) {
            (_, Retry::Never) => Self::Never,
            (Retry::Safe, _) | (Retry::AfterResync, Retry::AfterResync) => Self::Lost,
            (Retry::Never | Retry::AfterResync, _) => Self::Unsent,
        }
    }

    /// Whether a command that failed so is sent again.
    pub(crate) fn allows(self, error: &Error) -> bool {
        let unsent = error.execution() == Execution::NotRun;
        match error.kind() {
            ErrorKind::Closed(_) => self == Self::Lost || (self == Self::Unsent && unsent),
            ErrorKind::Malformed { reason, .. } => self == Self::Lost && reason.is_damage(),
            ErrorKind::Unattributed(_) => self == Self::Lost,
            _ => false,
        }
    }
}
