//! Errors in words. What a guest wrote is cut and its control characters are escaped.

use std::error::Error as _;
use std::fmt::{self, Display, Formatter};
use std::io;
use std::time::Duration;

use crate::text::Excerpt;

use super::{AgentError, DecodeError, Error, ErrorKind, Execution, Malformed, Reason, Stage};

impl Display for Error {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match (self.command(), self.stage()) {
            (Some(command), _) => write!(f, "{}", Excerpt(command))?,
            (None, Stage::Connect) => f.write_str("connect")?,
            (None, Stage::Work) => f.write_str("work")?,
            (None, Stage::Negotiate) => f.write_str("negotiate")?,
            (None, _) => f.write_str("sync")?,
        }
        if let Some(address) = self.address() {
            write!(f, " at {}", Excerpt(address))?;
        }
        write!(f, ": ")?;
        self.write_kind(f)?;
        if self.is_permanent() && self.is_closed() {
            f.write_str("; this client was made from a stream, which it cannot open again")?;
        }
        if let Some(pause) = self.retry_after() {
            write!(f, "; the channel is not tried again for {pause:.1?}")?;
        }
        match self.execution() {
            Execution::MaybeRun if self.stage() == Stage::Work => {
                f.write_str(" (commands may have run)")
            }
            Execution::MaybeRun => match self.check() {
                Some(check) => write!(f, " (the command may have run; check {check})"),
                None => f.write_str(" (the command may have run)"),
            },
            Execution::NotRun | Execution::Answered => Ok(()),
        }
    }
}

/// What went wrong, without what was being done.
pub(crate) struct WhatWentWrong<'a>(&'a Error);

impl Display for WhatWentWrong<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.0.write_kind(f)
    }
}

impl Error {
    pub(crate) fn reason(&self) -> WhatWentWrong<'_> {
        WhatWentWrong(self)
    }

    /// The scheme of the address, if there is an address.
    fn scheme(&self) -> &str {
        let scheme = self.address().and_then(|text| text.split_once(':'));
        scheme.map_or("", |(scheme, _)| scheme)
    }

    fn write_kind(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.kind() {
            ErrorKind::Address(error) => write!(f, "{error}"),
            ErrorKind::Open(error) => self.write_open(f, error),
            ErrorKind::Held { pid: Some(pid) } => write!(
                f,
                "an agent serves one client at a time; the channel is busy, held by process {pid}"
            ),
            ErrorKind::Held { pid: None } if self.stage() == Stage::Negotiate => f.write_str(
                "a monitor serves one client at a time, and this one did not greet in time: another client \
                 holds it, QEMU itself stands still, or this is the socket of something else, such as a guest's agent",
            ),
            ErrorKind::Held { pid: None } => f.write_str(
                "an agent serves one client at a time; the channel is busy, held by another process",
            ),
            ErrorKind::Lock(error) => {
                write!(f, "the channel's lock file cannot be locked: {error}")
            }
            ErrorKind::NotASocket => f.write_str("what is at this path is no socket"),
            ErrorKind::NotAllowed(reason) => write!(f, "not sent: {}", Excerpt(reason)),
            ErrorKind::Timeout(limit) => self.write_timeout(f, &format_args!("{limit:?}")),
            ErrorKind::Deadline(Duration::ZERO) => {
                f.write_str("not begun: the deadline for all commands of this handle has passed")
            }
            ErrorKind::Deadline(time) if self.stage() == Stage::Work => {
                write!(f, "it was not done within {time:?}, the time for this guest")
            }
            ErrorKind::Deadline(left) => {
                let left =
                    Duration::from_millis(u64::try_from(left.as_millis()).unwrap_or(u64::MAX));
                let text = "which were left until the deadline for all commands of this handle";
                self.write_timeout(f, &format_args!("{left:?}, {text}"))
            }
            ErrorKind::MachineStopped(power) => write!(f, "no answer came, and the machine {power}"),
            ErrorKind::Closed(error) => self.write_closed(f, error.as_ref()),
            ErrorKind::Agent(error) => write!(f, "{error}"),
            ErrorKind::SyncRefused(error) if error.desc.contains("qmp_capabilities") => {
                f.write_str("this is the socket of QEMU's monitor (QMP), and not that of a guest's agent")
            }
            ErrorKind::SyncRefused(error) => write!(
                f,
                "the agent refuses both sync commands: {error}; \
                 its configuration must allow guest-sync-delimited"
            ),
            ErrorKind::Unattributed(error) => {
                write!(f, "a request could not be read there: {error}")
            }
            ErrorKind::ReplyTooLong(limit) => write!(
                f,
                "the reply is longer than {limit} bytes; `Options::reply_limit` may allow more"
            ),
            ErrorKind::RequestTooLong(limit) => write!(
                f,
                "the request is longer than the {limit} bytes that this channel carries"
            ),
            ErrorKind::TooMuchSkipped { bytes, lines } => write!(
                f,
                "the channel does not come to rest: {bytes} bytes in {lines} lines were passed over; \
                 does another program use it?"
            ),
            ErrorKind::Malformed { reason, line } => write!(
                f,
                "{reason}{}: {}",
                match reason {
                    Malformed::TooDeep => " (`Options::depth_limit` may allow more)",
                    Malformed::TooManyItems => " (`Options::list_limit` may allow more)",
                    _ => "",
                },
                Excerpt(line)
            ),
            ErrorKind::ReplyLost => {
                f.write_str("the reply was lost; the agent has answered a later command")
            }
            ErrorKind::Abandoned => f.write_str(
                "the reply was not waited for, as an earlier command of the pipeline failed",
            ),
            ErrorKind::NoResponse(_) => {
                f.write_str("it ended well without a reply, of which its type makes no response")
            }
            ErrorKind::Transport(error) => write!(f, "{}", Excerpt(&error.to_string())),
            ErrorKind::Encode(error) => write!(f, "the arguments do not serialize: {error}"),
            ErrorKind::Decode(error) => write!(f, "{error}"),
        }
    }

    fn write_timeout(&self, f: &mut Formatter<'_>, limit: &dyn Display) -> fmt::Result {
        match self.stage() {
            Stage::Connect if self.scheme() == "unix" => {
                write!(
                    f,
                    "no connection within {limit}; others wait there already, where one client is served \
                 at a time"
                )
            }
            Stage::Connect => write!(f, "no connection within {limit}"),
            Stage::Queue => write!(f, "other commands held the channel for {limit}"),
            Stage::Sync => {
                write!(
                    f,
                    "the channel is open, but the agent did not answer the sync within {limit}; \
                     is it running in the guest, busy with an earlier command, or is another client \
                     on this channel?"
                )?;
                // While connecting, the connection is a new one.
                match self.command() {
                    Some(_) => f.write_str(
                        " If the guest has started since this connection was opened, a new \
                         connection may be answered.",
                    ),
                    None => Ok(()),
                }
            }
            Stage::Negotiate => write!(f, "the monitor did not consent to begin within {limit}"),
            Stage::Send => write!(f, "the request was not taken within {limit}"),
            Stage::Receive | Stage::Decode | Stage::Work => write!(f, "no reply within {limit}"),
        }
    }

    fn write_closed(&self, f: &mut Formatter<'_>, error: Option<&io::Error>) -> fmt::Result {
        f.write_str("the other side closed the channel")?;
        if let Some(error) = error {
            write!(f, ": {error}")?;
        }
        match self.stage() {
            Stage::Sync => f.write_str("; has the machine stopped, or its agent?"),
            _ => Ok(()),
        }
    }

    fn write_open(&self, f: &mut Formatter<'_>, error: &io::Error) -> fmt::Result {
        if let Some(reason) = Reason::of(error) {
            return write!(f, "{reason}");
        }
        let scheme = self.scheme();
        match known(error, scheme) {
            Some(words) => f.write_str(words),
            None => write!(f, "the {} cannot be opened: {error}", opened_by(scheme)),
        }
    }

    /// What lies below the message.
    pub(super) fn below(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self.kind() {
            ErrorKind::Open(error) if Reason::of(error).is_some() => None,
            ErrorKind::Open(error) if known(error, self.scheme()).is_some() => Some(error),
            ErrorKind::Open(error) | ErrorKind::Lock(error) | ErrorKind::Closed(Some(error)) => {
                error.source()
            }
            _ => None,
        }
    }
}

/// What an address of this scheme names.
fn opened_by(scheme: &str) -> &'static str {
    match scheme {
        "serial" => "device",
        "exec" | "ssh" => "program",
        "" | "unix" | "tcp" | "vsock" | "vsock-proxy" => "socket",
        _ => "channel",
    }
}

/// Why a channel could not be opened, where we have words of our own. Who opens a scheme that is not ours knows more.
fn known(error: &io::Error, scheme: &str) -> Option<&'static str> {
    if opened_by(scheme) == "channel" {
        return None;
    }
    Some(match (error.kind(), scheme) {
        (io::ErrorKind::NotFound, "serial") => {
            "there is no such device; is the machine running, and is this the path that it says?"
        }
        (io::ErrorKind::NotFound, _) => {
            "there is no such socket; is the machine running, and does it have this channel?"
        }
        (io::ErrorKind::PermissionDenied, "serial") => "this user may not open the device",
        (io::ErrorKind::PermissionDenied, _) => "this user may not open the socket",
        (io::ErrorKind::ConnectionRefused, "tcp") => {
            "nobody listens there; is the machine running?"
        }
        (io::ErrorKind::ConnectionRefused, _) => {
            "nobody listens there; was the socket left behind by a machine that has stopped?"
        }
        _ => return None,
    })
}

impl Display for DecodeError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("the reply")?;
        match (self.path(), self.piece()) {
            (".", None) => f.write_str(" does not fit")?,
            (".", Some(piece)) => write!(f, ", which is {}, does not fit", Excerpt(piece))?,
            (path, None) => write!(f, " does not fit at `{}`", Excerpt(path))?,
            (path, Some(piece)) => write!(
                f,
                " does not fit at `{}`, which is {}",
                Excerpt(path),
                Excerpt(piece)
            )?,
        }
        write!(f, ": {}", self.reason())
    }
}

impl std::error::Error for DecodeError {}

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

impl std::error::Error for Malformed {}

impl Display for Malformed {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotUtf8 => "the reply is not UTF-8",
            Self::NotJson => "the reply is not JSON",
            Self::TooDeep => "the reply nests too deep",
            Self::TooManyItems => "the reply has too long a list",
            Self::NotAnObject => "the reply is no JSON object",
            Self::NoReturnOrError => "the reply has neither `return` nor `error`",
            Self::ReturnAndError => "the reply has both `return` and `error`",
            Self::DuplicateMember => "the reply has a member twice",
            Self::BadError => "the reply has an `error` without class and description",
        })
    }
}
