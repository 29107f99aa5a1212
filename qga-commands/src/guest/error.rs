//! What can go wrong with an operation.

use std::str::Utf8Error;
use std::time::Duration;
use std::{fmt, io};

use qga_core::{AddressError, Error, Excerpt, Execution};

use super::copy::CopyFault;
use super::process::{ExitStatus, Kill, Output};
use super::ready::{CheckError, Stage};

/// An operation on a guest that failed.
///
/// The message covers this level only; [`source`](std::error::Error::source) has what lies below.
#[derive(Debug)]
#[non_exhaustive]
pub enum GuestError {
    /// A command failed.
    Command(Error),
    /// What was asked for cannot be done; nothing was sent. The text says what is wrong.
    InvalidInput(&'static str),
    /// The address of a guest cannot be read.
    Address(AddressError),
    /// A guest was not ready in time, or cannot become so.
    NotReady {
        /// How far it has come.
        stage: Stage,
        /// The time it was given.
        deadline: Duration,
        /// What went wrong last: an [`Error`] if the agent did not answer, what the caller's check
        /// returned if that did not succeed.
        source: Option<CheckError>,
    },
    /// The command was not sent: it has to wait until the filesystems are thawed. This client has
    /// frozen them, or, where a freeze was to be sent, somebody else has. What this client has frozen is
    /// thawed when its [`Frozen`](super::freeze::Frozen) is; [`Guest::thaw`](super::Guest::thaw) does it too.
    Frozen {
        /// The command.
        command: &'static str,
    },
    /// A freeze found nothing to freeze: no filesystem is mounted there, or none can be frozen.
    NothingFrozen,
    /// It is not known whether filesystems are frozen.
    MaybeFrozen {
        /// Why the freeze or the thaw failed.
        source: Error,
    },
    /// The agent answered what makes no sense. The text says what.
    Unexpected(&'static str),
    /// The tokio runtime in which the work was under way has ended.
    Stopped,
    /// A file of the guest is longer than what is read at once, in bytes; open it and read it
    /// piece by piece.
    TooLarge(usize),
    /// A file of the guest is not UTF-8.
    NotText(Utf8Error),
    /// A copy failed.
    Copy {
        /// The file or folder at fault, of the guest or of this host.
        path: String,
        /// Why.
        fault: Box<CopyFault>,
    },
    /// A program was started, and then its end or its output could not be learned. It may still run:
    /// [`Guest::process`](super::Guest::process) attaches to it.
    Wait {
        /// The program's process.
        pid: i64,
        /// What went wrong.
        source: Box<GuestError>,
    },
    /// A program has ended, or the agent was started anew, and how the program ended and what it
    /// wrote are lost: the agent tells it once, and the answer did not arrive or somebody else
    /// has had it.
    ResultLost {
        /// The program's process.
        pid: i64,
        /// What the agent says of a process that it does not know.
        source: Error,
    },
    /// The program that was to kill another one did not succeed: the other has ended, or the agent
    /// may not kill it.
    KillFailed {
        /// The process that was to be killed.
        pid: i64,
        /// How the program that kills ended, and what it says.
        output: Output,
    },
    /// A guest has no place for the files that a program writes to whose output is streamed.
    /// The program was not started.
    SpoolFailed(ExitStatus),
    /// A program has written more to one of its streams than its caller wants to keep.
    TooMuchOutput {
        /// The program's process.
        pid: i64,
        /// What was to be kept of a stream, in bytes.
        limit: usize,
    },
    /// A program did not end in the time that its caller gave it.
    Deadline {
        /// The program's process; `None` if not even that was known, so that the program may have been
        /// started or not.
        pid: Option<i64>,
        /// The time it was given.
        deadline: Duration,
        /// Whether it was killed.
        kill: Kill,
        /// How it ended and what it had written, if it was killed.
        output: Option<Box<Output>>,
    },
    /// A command failed, and what the agent says of it is not shown, since it contains the password
    /// that was to be set.
    Withheld {
        /// The command.
        command: &'static str,
        /// Whether it may have run.
        execution: Execution,
    },
    /// A part of what was asked for was done, and the rest was not, or it is not known.
    Partial {
        /// How many things or steps were done, the first ones.
        done: usize,
        /// How many there are.
        of: usize,
        /// What went wrong then.
        source: Box<GuestError>,
    },
}

impl GuestError {
    /// The error of the command that failed, if it was one.
    #[must_use]
    pub fn command_error(&self) -> Option<&Error> {
        match self {
            Self::Command(error)
            | Self::MaybeFrozen { source: error }
            | Self::ResultLost { source: error, .. } => Some(error),
            Self::Wait { source, .. } | Self::Partial { source, .. } => source.command_error(),
            Self::Copy { fault, .. } => fault.guest_error()?.command_error(),
            Self::NotReady { source, .. } => command_error_of(source.as_deref()?),
            _ => None,
        }
    }

    /// Whether the operation may have done something in the guest. Where it takes several
    /// commands, this is said of the one that failed.
    #[must_use]
    pub fn execution(&self) -> Execution {
        match self {
            Self::Command(error) => error.execution(),
            Self::Withheld { execution, .. } => *execution,
            Self::Partial { source, .. } => match source.execution() {
                Execution::NotRun => Execution::Answered,
                other => other,
            },
            Self::Copy { fault, .. } => match fault.guest_error() {
                Some(error) => error.execution(),
                None => Execution::MaybeRun,
            },
            Self::InvalidInput(_)
            | Self::Address(_)
            | Self::NotReady { .. }
            | Self::Frozen { .. }
            | Self::NothingFrozen
            | Self::SpoolFailed(_) => Execution::NotRun,
            _ => Execution::MaybeRun,
        }
    }
}

fn command_error_of<'a>(cause: &'a (dyn std::error::Error + 'static)) -> Option<&'a Error> {
    let of_operation = || cause.downcast_ref::<GuestError>()?.command_error();
    cause.downcast_ref().or_else(of_operation)
}

impl From<Error> for GuestError {
    fn from(error: Error) -> Self {
        Self::Command(error)
    }
}

/// For what reads and writes files as streams; [`io::Error::get_ref`] has the error itself.
impl From<GuestError> for io::Error {
    fn from(error: GuestError) -> Self {
        let kind = match (&error, error.command_error()) {
            (GuestError::Frozen { .. }, _) => io::ErrorKind::ResourceBusy,
            (GuestError::InvalidInput(_), _) => io::ErrorKind::InvalidInput,
            (_, Some(command)) if command.is_timeout() => io::ErrorKind::TimedOut,
            (_, Some(command)) if command.is_closed() => io::ErrorKind::BrokenPipe,
            _ => io::ErrorKind::Other,
        };
        Self::new(kind, error)
    }
}

impl fmt::Display for GuestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Command(_) => f.write_str("a command failed"),
            Self::InvalidInput(reason) => f.write_str(reason),
            Self::Address(_) => f.write_str("the guest's address cannot be read"),
            Self::NotReady {
                stage, deadline, ..
            } => {
                write!(f, "the guest is not ready within {deadline:?}: {stage}")
            }
            Self::Frozen { command } => {
                write!(
                    f,
                    "{command} has to wait: the guest's filesystems are frozen"
                )
            }
            Self::NothingFrozen => f.write_str("there was no filesystem to freeze"),
            Self::MaybeFrozen { .. } => f.write_str("the guest's filesystems may be frozen"),
            Self::Unexpected(what) => write!(f, "unexpected answer: {what}"),
            Self::Copy { path, fault } => {
                write!(f, "copying {:?} failed: {fault}", Excerpt(path))
            }
            Self::Stopped => f.write_str("the runtime that did the work has ended"),
            Self::TooLarge(limit) => write!(f, "the file is longer than {limit} bytes"),
            Self::NotText(_) => f.write_str("the file is not UTF-8"),
            Self::Wait { pid, .. } => {
                write!(
                    f,
                    "process {pid} was started, and its end or its output could not be learned"
                )
            }
            Self::ResultLost { pid, .. } => write!(f, "the result of process {pid} is lost"),
            Self::KillFailed { pid, output } => {
                let (status, text) = (output.status, output.stderr_lossy());
                let text = Excerpt(text.trim());
                write!(f, "process {pid} was not killed: {status}, {text:?}")
            }
            Self::SpoolFailed(status) => write!(
                f,
                "no files could be made in the guest for a program's output: {status}"
            ),
            Self::TooMuchOutput { pid, limit } => {
                write!(f, "process {pid} wrote more than {limit} bytes to a stream")
            }
            Self::Deadline {
                pid,
                deadline,
                kill,
                ..
            } => match pid {
                Some(pid) => write!(f, "process {pid} did not end within {deadline:?}; {kill}"),
                None => write!(f, "no program was known to run within {deadline:?}"),
            },
            Self::Withheld { command, .. } => write!(
                f,
                "{command} failed, and the agent's words are withheld: they contain the password"
            ),
            Self::Partial { done, of, .. } => write!(f, "only a part was done, {done} of {of}"),
        }
    }
}

impl std::error::Error for GuestError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Command(error)
            | Self::MaybeFrozen { source: error }
            | Self::ResultLost { source: error, .. } => Some(error),
            Self::Wait { source, .. } | Self::Partial { source, .. } => Some(&**source),
            Self::NotText(error) => Some(error),
            Self::Copy { fault, .. } => fault.cause(),
            Self::Address(error) => Some(error),
            Self::NotReady { source, .. } => source.as_deref().map(|error| error as _),
            _ => None,
        }
    }
}
