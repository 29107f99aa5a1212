//! What can go wrong with an operation.

mod copy_fault;
mod display;
mod kill;
mod stage;

use std::borrow::Cow;
use std::io;
use std::str::Utf8Error;
use std::time::Duration;

use qga_core::{Address, AddressError, AgentError, Error, Execution};

use super::output::{ExitStatus, Output};
use crate::capabilities::Refusal;
use crate::incarnation::Belonging;

pub use copy_fault::CopyFault;
pub(super) use copy_fault::{after_changes, within};
pub use kill::Kill;
pub use stage::Stage;

/// Why a check of your own does not succeed: any error, or a text.
pub type CheckError = Box<dyn std::error::Error + Send + Sync>;

/// An operation on a guest that failed.
///
/// The message says what failed, where, and why, also where the reason is an error below: it then ends with that
/// error's own message, and [`source`](std::error::Error::source) goes on from there, so that a program that prints
/// the whole chain says nothing twice. [`command_error`](Self::command_error) has the error of the command below.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// # let agent = qga_testserver::TestAgent::start().await;
/// # let address = agent.address();
/// # let guest = qga_commands::Guest::connect(address).await.unwrap();
/// match guest.read("/etc/hostname").await {
///     Ok(bytes) => println!("{} bytes", bytes.len()),
///     Err(error) if error.is_timeout() => eprintln!("try again later: {error}"),
///     Err(error) if error.is_disabled() => eprintln!("ask the guest's administrator: {error}"),
///     Err(error) => eprintln!("{error}"),
/// }
/// # }
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum GuestError {
    /// A command failed.
    Command(Error),
    /// What was asked for cannot be done, and nothing was changed. The text says why.
    InvalidInput(Cow<'static, str>),
    /// The address of a guest cannot be read.
    Address(AddressError),
    /// A guest was not ready in time, or cannot become so.
    NotReady {
        /// How far it has come.
        stage: Stage,
        /// The time it was given.
        timeout: Duration,
        /// The address of its agent, if the client was made from one.
        address: Option<Address>,
        /// What went wrong last: an [`Error`] if the agent did not answer, what the caller's check
        /// returned if that did not succeed.
        source: Option<CheckError>,
    },
    /// The command was not sent: it has to wait until the filesystems are thawed.
    Frozen {
        /// The command.
        command: &'static str,
        /// Whether it is this client that has frozen them: then they are thawed when its
        /// [`Frozen`](super::freeze::Frozen) is. What somebody else has frozen may stay so for ever, if that
        /// program has ended; [`Guest::thaw`](super::Guest::thaw) thaws it.
        by_this_client: bool,
        /// The address of the guest's agent, if the client was made from one.
        address: Option<Address>,
    },
    /// A freeze found nothing to freeze: no filesystem is mounted there, or none can be frozen.
    NothingFrozen {
        /// The address of the guest's agent, if the client was made from one.
        address: Option<Address>,
    },
    /// It is not known whether filesystems are frozen. [`Guest::thaw`](super::Guest::thaw) may be called until it
    /// succeeds.
    MaybeFrozen {
        /// Why the freeze or the thaw failed.
        source: Error,
    },
    /// The agent answered what makes no sense. The text says what.
    Unexpected(Cow<'static, str>),
    /// A file or a process belongs to an agent that is gone: the guest was rebooted, or its agent was
    /// started anew. What was to be done with it was not sent, since its number may be another's by now.
    AgentGone {
        /// What belonged to it.
        what: Belonging,
        /// Whether an earlier attempt may have done something in the guest.
        execution: Execution,
    },
    /// The guest has no program of this name, which has blanks in it: there may be arguments in it, which
    /// go to [`Command::arg`](super::process::Command::arg), one by one.
    NoSuchProgram {
        /// The name.
        program: String,
        /// What the agent says.
        source: Error,
    },
    /// The tokio runtime in which the work was under way has ended.
    Stopped,
    /// A file of the guest is longer than what is read at once; open it and read it piece by piece.
    TooLarge {
        /// The file.
        path: String,
        /// What is read at once, in bytes.
        limit: usize,
    },
    /// A file of the guest is not UTF-8.
    NotText {
        /// The file.
        path: String,
        /// Where it is not.
        source: Utf8Error,
    },
    /// Too little was moved, to the guest or from it, in the time in which that much has to be.
    TooSlow {
        /// What has to be moved in that time, in bytes.
        least: u64,
        /// The time.
        within: Duration,
    },
    /// This guest cannot do what was asked for; nothing was changed. The text says what it lacks.
    Unsupported(&'static str),
    /// A program of the guest could not do something with a path.
    Path {
        /// What was to be done, such as `remove`.
        action: &'static str,
        /// The path.
        path: String,
        /// Why, as far as the program's words tell.
        kind: io::ErrorKind,
        /// What the program said.
        reason: String,
    },
    /// A copy failed.
    Copy {
        /// The file or folder at fault, of the guest or of this host.
        path: String,
        /// Why.
        fault: Box<CopyFault>,
        /// Whether anything was changed in the guest; what was changed is removed again as far as the
        /// channel allows.
        execution: Execution,
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
    NoOutputFiles(ExitStatus),
    /// A program has written more to one of its streams than its caller wants to keep.
    TooMuchOutput {
        /// The program's process.
        pid: i64,
        /// What was to be kept of a stream, in bytes.
        limit: usize,
    },
    /// A program did not end in the time that its caller gave it.
    TimedOut {
        /// The program, as it was named.
        program: String,
        /// The program's process; `None` if not even that was known, so that the program may have been
        /// started or not.
        pid: Option<i64>,
        /// The time it was given.
        timeout: Duration,
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
            | Self::NoSuchProgram { source: error, .. }
            | Self::ResultLost { source: error, .. } => Some(error),
            Self::Wait { source, .. } | Self::Partial { source, .. } => source.command_error(),
            Self::Copy { fault, .. } => fault.guest_error()?.command_error(),
            Self::NotReady { source, .. } => command_error_of(source.as_deref()?),
            _ => None,
        }
    }

    /// What the agent answered to the command that failed, if it answered with an error.
    #[must_use]
    pub fn agent_error(&self) -> Option<&AgentError> {
        self.command_error()?.agent_error()
    }

    /// Whether the operation may have done something in the guest. Where it takes several
    /// commands, this is said of the one that failed.
    #[must_use]
    pub fn execution(&self) -> Execution {
        match self {
            Self::Command(error) => error.execution(),
            Self::Withheld { execution, .. }
            | Self::Copy { execution, .. }
            | Self::AgentGone { execution, .. } => *execution,
            Self::NoSuchProgram { source, .. } => source.execution(),
            Self::Partial { source, .. } => match source.execution() {
                Execution::NotRun => Execution::Answered,
                other => other,
            },
            Self::Path { .. } => Execution::Answered,
            Self::InvalidInput(_)
            | Self::Address(_)
            | Self::NotReady { .. }
            | Self::Frozen { .. }
            | Self::NothingFrozen { .. }
            | Self::Unsupported(_)
            | Self::NoOutputFiles(_) => Execution::NotRun,
            _ => Execution::MaybeRun,
        }
    }

    /// Whether the time given was not enough: a command's timeout, a handle's
    /// [deadline](super::Guest::within), or a timeout of the operation itself.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        match self {
            Self::TimedOut { .. } | Self::TooSlow { .. } => true,
            Self::NotReady { .. } => !self.is_for_good(),
            Self::Copy { fault, .. } => match &**fault {
                CopyFault::TimedOut(_) => true,
                fault => fault.guest_error().is_some_and(Self::is_timeout),
            },
            Self::Wait { source, .. } | Self::Partial { source, .. } => source.is_timeout(),
            _ => self.command_error().is_some_and(Error::is_timeout),
        }
    }

    /// Whether the [deadline](super::Guest::within) for all commands of the handle has passed.
    #[must_use]
    pub fn is_deadline(&self) -> bool {
        self.command_error().is_some_and(Error::is_deadline)
    }

    /// Whether the other side closed the channel.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.command_error().is_some_and(Error::is_closed)
    }

    /// How long the client does not try the channel again; see [`Error::retry_after`].
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.command_error().and_then(Error::retry_after)
    }

    /// Whether trying again is of no use through this client; see [`Error::is_permanent`].
    #[must_use]
    pub fn is_permanent(&self) -> bool {
        self.command_error().is_some_and(Error::is_permanent)
    }

    /// Whether another client holds the [lock](super::GuestBuilder::lock) of the channel.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.command_error().is_some_and(Error::is_held)
    }

    /// Whether the client was made [not to send](super::GuestBuilder::allow) the command.
    #[must_use]
    pub fn is_not_allowed(&self) -> bool {
        self.command_error().is_some_and(Error::is_not_allowed)
    }

    /// Whether the agent refused a command: it does not know it, has it disabled, or is frozen.
    /// [`is_disabled`](Self::is_disabled) and [`is_frozen`](Self::is_frozen) tell more, and
    /// [`Refusal::explain`] asks the agent.
    #[must_use]
    pub fn is_command_not_found(&self) -> bool {
        self.refusal().is_some()
            || self
                .command_error()
                .is_some_and(Error::is_command_not_found)
    }

    /// Whether the agent knows the command but has it disabled, as far as its words tell.
    #[must_use]
    pub fn is_disabled(&self) -> bool {
        matches!(self.refusal(), Some(Refusal::Disabled { .. }))
            || self.command_error().is_some_and(Error::is_disabled)
    }

    /// Whether the command has to wait until the guest's filesystems are thawed, as far as this client
    /// knows or the agent's words tell.
    #[must_use]
    pub fn is_frozen(&self) -> bool {
        match self {
            Self::Frozen { .. } => true,
            Self::Wait { source, .. } | Self::Partial { source, .. } => source.is_frozen(),
            _ => {
                matches!(self.refusal(), Some(Refusal::Frozen { .. }))
                    || self.command_error().is_some_and(Error::is_frozen)
            }
        }
    }

    /// Why a guest that was waited for is not ready, if it is for a command that its agent refuses.
    fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::NotReady {
                stage: Stage::Command(refusal),
                ..
            } => Some(refusal),
            _ => None,
        }
    }

    /// Whether it is no use to wait for the guest.
    fn is_for_good(&self) -> bool {
        match self {
            Self::NotReady { stage, .. } => stage.is_for_good() || self.is_permanent(),
            _ => self.refusal().is_some_and(Refusal::is_for_good),
        }
    }

    /// Whether it was about a file or a process of an agent that is [gone](Self::AgentGone): the file has to
    /// be opened again, and the process has ended or cannot be asked for any more.
    #[must_use]
    pub fn is_agent_gone(&self) -> bool {
        match self {
            Self::AgentGone { .. } => true,
            Self::Wait { source, .. } | Self::Partial { source, .. } => source.is_agent_gone(),
            Self::Copy { fault, .. } => fault.guest_error().is_some_and(Self::is_agent_gone),
            Self::NotReady { source, .. } => {
                let cause = source.as_deref().and_then(|cause| cause.downcast_ref());
                cause.is_some_and(Self::is_agent_gone)
            }
            _ => false,
        }
    }

    /// The error of something of which an earlier attempt may have run.
    pub(super) fn after_maybe_run(self) -> Self {
        match self {
            Self::AgentGone { what, .. } => Self::AgentGone {
                what,
                execution: Execution::MaybeRun,
            },
            error => error,
        }
    }
}

pub(super) fn command_error_of<'a>(
    cause: &'a (dyn std::error::Error + 'static),
) -> Option<&'a Error> {
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
        let kind = match error {
            GuestError::InvalidInput(_) => io::ErrorKind::InvalidInput,
            GuestError::Unsupported(_) => io::ErrorKind::Unsupported,
            GuestError::TooSlow { .. } => io::ErrorKind::TimedOut,
            GuestError::Path { kind, .. } => kind,
            _ if error.is_agent_gone() => io::ErrorKind::StaleNetworkFileHandle,
            _ if error.is_frozen() => io::ErrorKind::ResourceBusy,
            _ if error.is_timeout() => io::ErrorKind::TimedOut,
            _ if error.is_closed() => io::ErrorKind::BrokenPipe,
            _ => io::ErrorKind::Other,
        };
        Self::new(kind, error)
    }
}

impl std::error::Error for GuestError {
    /// What lies below the error whose message this one's ends with.
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Command(error)
            | Self::MaybeFrozen { source: error }
            | Self::NoSuchProgram { source: error, .. }
            | Self::ResultLost { source: error, .. } => error.source(),
            Self::Wait { source, .. } | Self::Partial { source, .. } => source.source(),
            Self::NotText { source, .. } => source.source(),
            Self::Copy { fault, .. } => fault.cause(),
            Self::Address(error) => error.source(),
            Self::NotReady { source, .. } => source.as_deref()?.source(),
            _ => None,
        }
    }
}
