//! What a question that failed shows of who should have answered it.

use std::io;

use qga_core::{Error, ErrorKind, Stage};

/// What a question that failed shows of who should have answered it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Presence {
    /// Other commands of this client came first, so that it was not asked.
    Queued,
    /// Nobody listens there.
    Absent,
    /// Somebody listens and closes the channel.
    HangsUp,
    /// The channel has ended and can never be opened again.
    Ended,
    /// Somebody is there and does not answer.
    Silent,
    /// An agent answers, though not as it should.
    Speaks,
    /// This host or this client has failed, which shows nothing.
    Untold,
}

impl Presence {
    pub(super) fn after(error: &Error) -> Self {
        match error.kind() {
            _ if error.is_timeout() && error.stage() == Stage::Queue => Self::Queued,
            // So too where a queue of clients is full, or a host takes its time.
            _ if error.is_timeout() => Self::Silent,
            // Whoever watches the machine knows more.
            ErrorKind::MachineStopped(_) => Self::Silent,
            ErrorKind::Closed(_) if error.is_permanent() => Self::Ended,
            ErrorKind::Closed(_) => Self::HangsUp,
            ErrorKind::NotASocket => Self::Absent,
            ErrorKind::Open(error) => Self::after_opening(error.kind()),
            ErrorKind::NotAllowed(_)
            | ErrorKind::Address(_)
            | ErrorKind::Held { .. }
            | ErrorKind::Lock(_)
            | ErrorKind::Encode(_) => Self::Untold,
            _ => Self::Speaks,
        }
    }

    /// Most errors, such as a lack of permission or of file descriptors, are about this host.
    fn after_opening(error: io::ErrorKind) -> Self {
        match error {
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => Self::Absent,
            io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::NotConnected
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::UnexpectedEof => Self::HangsUp,
            io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => Self::Silent,
            _ => Self::Untold,
        }
    }
}
