//! Errors in words. What a guest wrote is cut and its control characters are escaped.

use std::fmt::{self, Display, Formatter};
use std::io;
use std::time::Duration;

use crate::Excerpt;

use super::{AgentError, DecodeError, Error, ErrorKind, Execution, JsonError, Malformed, Stage};

impl Display for Error {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match (self.command(), self.stage()) {
            (Some(command), _) => write!(f, "{}", Excerpt(command))?,
            (None, Stage::Connect) => f.write_str("connect")?,
            (None, _) => f.write_str("sync")?,
        }
        if let Some(address) = self.address() {
            write!(f, " at {address}")?;
        }
        write!(f, ": ")?;
        self.write_kind(f)?;
        match self.execution() {
            Execution::MaybeRun => match self.check() {
                Some(check) => write!(f, " (the command may have run; check {check})"),
                None => f.write_str(" (the command may have run)"),
            },
            Execution::NotRun | Execution::Answered => Ok(()),
        }
    }
}

/// What went wrong, without what was being done.
pub(crate) struct Reason<'a>(&'a Error);

impl Display for Reason<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.0.write_kind(f)
    }
}

impl Error {
    pub(crate) fn reason(&self) -> Reason<'_> {
        Reason(self)
    }

    fn write_kind(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.kind() {
            ErrorKind::Address(_) => f.write_str("the address cannot be read"),
            ErrorKind::Open(error) => write_open(f, error),
            ErrorKind::Held { pid: Some(pid) } => {
                write!(f, "the channel is busy, held by process {pid}")
            }
            ErrorKind::Held { pid: None } => {
                f.write_str("the channel is busy, held by another process")
            }
            ErrorKind::Lock(_) => f.write_str("the channel's lock file cannot be locked"),
            ErrorKind::NotASocket => f.write_str("the path is no socket"),
            ErrorKind::Unavailable(_) => {
                f.write_str("the channel was lost and cannot be opened again for now")
            }
            ErrorKind::NotAllowed(reason) => write!(f, "not sent: {}", Excerpt(reason)),
            ErrorKind::Timeout(limit) => self.write_timeout(f, &format_args!("{limit:?}")),
            ErrorKind::Deadline(Duration::ZERO) => {
                f.write_str("not begun: the deadline for all commands of this handle has passed")
            }
            ErrorKind::Deadline(left) => {
                let left =
                    Duration::from_millis(u64::try_from(left.as_millis()).unwrap_or(u64::MAX));
                let text = "which were left until the deadline for all commands of this handle";
                self.write_timeout(f, &format_args!("{left:?}, {text}"))
            }
            ErrorKind::Closed(_) => self.write_closed(f),
            ErrorKind::Agent(error) => write!(f, "{error}"),
            ErrorKind::SyncRefused(error) => {
                write!(f, "the agent has both sync commands disabled: {error}")
            }
            ErrorKind::Unattributed(error) => {
                write!(f, "the agent could not read a request: {error}")
            }
            ErrorKind::ReplyTooLong(limit) => write!(f, "the reply is longer than {limit} bytes"),
            ErrorKind::TooMuchSkipped { bytes, lines } => write!(
                f,
                "the channel does not come to rest: {bytes} bytes in {lines} lines were passed over"
            ),
            ErrorKind::Malformed { reason, line } => {
                write!(f, "the reply {reason}: {}", Excerpt(line))
            }
            ErrorKind::ReplyLost => {
                f.write_str("the reply was lost; the agent has answered a later command")
            }
            ErrorKind::Abandoned => f.write_str("an earlier command of the pipeline failed"),
            ErrorKind::Encode(_) => f.write_str("the arguments do not serialize"),
            ErrorKind::Decode(error) => write_decode(f, error),
        }
    }

    fn write_timeout(&self, f: &mut Formatter<'_>, limit: &dyn Display) -> fmt::Result {
        match self.stage() {
            Stage::Connect => write!(f, "no connection within {limit}"),
            Stage::Queue => write!(f, "other commands held the channel for {limit}"),
            Stage::Sync => write!(
                f,
                "the channel is open, but the agent did not answer the sync within {limit}; \
                 is it running in the guest, busy with an earlier command, or is another client \
                 on this channel?"
            ),
            Stage::Send => write!(f, "the agent did not take the request within {limit}"),
            Stage::Receive | Stage::Decode => write!(f, "no reply within {limit}"),
        }
    }

    fn write_closed(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("the other side closed the channel")?;
        match self.stage() {
            Stage::Sync => f.write_str("; has the machine stopped, or its agent?"),
            _ => Ok(()),
        }
    }
}

fn write_decode(f: &mut Formatter<'_>, error: &DecodeError) -> fmt::Result {
    write!(f, "the reply does not fit at `{}`", Excerpt(error.path()))?;
    match error.piece() {
        Some(piece) => write!(f, ", which is {}", Excerpt(piece)),
        None => Ok(()),
    }
}

fn write_open(f: &mut Formatter<'_>, error: &io::Error) -> fmt::Result {
    f.write_str(match error.kind() {
        io::ErrorKind::NotFound => {
            "there is no such socket; is the machine running, and has it a guest agent channel?"
        }
        io::ErrorKind::PermissionDenied => "this user may not open the socket",
        io::ErrorKind::ConnectionRefused => {
            "nobody listens there; was the socket left behind by a machine that has stopped?"
        }
        _ => "the socket cannot be opened",
    })
}

impl Display for AgentError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", Excerpt(&self.desc), Excerpt(&self.class))
    }
}

impl fmt::Debug for AgentError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("AgentError")
            .field("class", &Excerpt(&self.class))
            .field("desc", &Excerpt(&self.desc))
            .finish()
    }
}

impl std::error::Error for AgentError {}

impl Display for JsonError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        Excerpt(&self.0.to_string()).fmt(f)
    }
}

impl fmt::Debug for JsonError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "JsonError({self})")
    }
}

impl std::error::Error for JsonError {}

impl std::error::Error for Malformed {}

impl Display for Malformed {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotUtf8 => "is not UTF-8",
            Self::NotJson => "is not JSON",
            Self::TooDeep => "nests too deep",
            Self::TooManyItems => "has too long a list",
            Self::NotAnObject => "is no JSON object",
            Self::NoReturnOrError => "has neither `return` nor `error`",
            Self::ReturnAndError => "has both `return` and `error`",
            Self::DuplicateMember => "has a member twice",
            Self::BadError => "has an `error` without class and description",
        })
    }
}
