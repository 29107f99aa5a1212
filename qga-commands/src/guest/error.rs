//! Errors of operations.

mod copy_fault;
mod display;
mod kill_outcome;
mod ready_stage;
mod start;

use std::borrow::Cow;
use std::io;
use std::str::Utf8Error;
use std::time::Duration;

use qga_core::{Address, AddressError, AgentError, Error, Execution, Power};

use super::output::{ExitStatus, Output};
use crate::capabilities::Refusal;
use crate::incarnation::AgentResource;

pub use copy_fault::CopyFault;
pub(super) use copy_fault::{after_changes, within};
pub use kill_outcome::KillOutcome;
pub use ready_stage::ReadyStage;

/// The error of a check of your own: any error type, or a text.
pub type CheckError = Box<dyn std::error::Error + Send + Sync>;

/// An operation on a guest has failed.
///
/// The message says what failed, where, and why. If the reason is another error, the message ends with the message of
/// that error, and [`source`](std::error::Error::source) returns the source of that error. So a program that prints
/// the whole chain says nothing twice. [`command_error`](Self::command_error) returns the error of the command that
/// failed.
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
    /// A guest was not ready in time, or cannot become ready.
    NotReady {
        /// What the guest was waited for in the end.
        stage: ReadyStage,
        /// How long it was waited for.
        timeout: Duration,
        /// The address of its agent, if the client was made from one.
        address: Option<Box<Address>>,
        /// What went wrong last: an [`Error`] if the agent did not answer, or the error that the caller's check
        /// returned.
        source: Option<CheckError>,
    },
    /// The command was not sent: it has to wait until the filesystems are thawed.
    Frozen {
        /// The command.
        command: &'static str,
        /// Whether this client has frozen them. If so, they are thawed by its
        /// [`Frozen`](super::freeze::Frozen). Filesystems that another program has frozen may stay frozen for ever,
        /// if that program has ended; [`Guest::thaw`](super::Guest::thaw) thaws them.
        by_this_client: bool,
        /// The address of the guest's agent, if the client was made from one.
        address: Option<Box<Address>>,
    },
    /// A freeze found nothing to freeze: no filesystem is mounted there, or none can be frozen.
    NothingFrozen {
        /// The address of the guest's agent, if the client was made from one.
        address: Option<Box<Address>>,
    },
    /// It is not known whether filesystems are frozen. Call [`Guest::thaw`](super::Guest::thaw) until it succeeds.
    MaybeFrozen {
        /// Why the freeze or the thaw failed.
        source: Error,
    },
    /// The agent's answer makes no sense. The text says why.
    Unexpected(Cow<'static, str>),
    /// An open file or a process belongs to an agent that is gone: the guest was rebooted, or its agent was
    /// restarted. The command was not sent, since the new agent may use the same number for something else.
    AgentGone {
        /// The file or process.
        what: AgentResource,
        /// Whether an earlier attempt may have done something in the guest.
        execution: Execution,
    },
    /// The guest has no program of this name. The name has blanks in it, so it may contain arguments; pass these to
    /// [`Command::arg`](super::process::Command::arg), one by one.
    NoSuchProgram {
        /// The name.
        program: String,
        /// What the agent says.
        source: Error,
    },
    /// The tokio runtime that did the work has been shut down.
    Stopped,
    /// A file of the guest is too long to be read at once. Open it, and read it piece by piece.
    TooLarge {
        /// The file.
        path: String,
        /// How many bytes are read at once.
        limit: usize,
    },
    /// A file of the guest is not UTF-8.
    NotText {
        /// The file.
        path: String,
        /// Where the first byte is that is not.
        source: Utf8Error,
    },
    /// Fewer bytes were moved, to the guest or from it, than have to be in a stretch of time.
    TooSlow {
        /// How many bytes have to be moved in that time.
        least: u64,
        /// The time.
        within: Duration,
    },
    /// This guest cannot do what was asked for, and nothing was changed. The text says what it lacks.
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
        /// Whether anything was changed in the guest. What was copied is removed again, if the channel allows it.
        execution: Execution,
    },
    /// A program was started, but the agent could not be asked for its end or its output. It may still run;
    /// [`Guest::process`](super::Guest::process) attaches to it.
    Wait {
        /// The program's process.
        pid: i64,
        /// What went wrong.
        source: Box<GuestError>,
    },
    /// The exit status and the output of a program are lost. The agent tells them only once: either that answer did
    /// not arrive, or somebody else has received it, or the agent was restarted.
    ResultLost {
        /// The program's process.
        pid: i64,
        /// What the agent says of a process that it does not know.
        source: Error,
    },
    /// A process was not killed: it has ended already, or the agent has no permission to kill it.
    KillFailed {
        /// The process that was to be killed.
        pid: i64,
        /// The output of the program that was to kill it.
        output: Output,
    },
    /// The files for the output of a [spawned](super::process::Command::spawn) program could not be made in the
    /// guest. The program was not started. This is the exit status of the script that was to make them.
    NoOutputFiles(ExitStatus),
    /// A program has written more to one of its streams than its caller is willing to keep.
    TooMuchOutput {
        /// The program's process.
        pid: i64,
        /// How many bytes of a stream were to be kept.
        limit: usize,
    },
    /// A program did not end in the time that its caller gave it.
    TimedOut {
        /// The program, as it was named.
        program: String,
        /// The program's process. `None` if the agent had not told it yet; then it is not known whether the program
        /// was started.
        pid: Option<i64>,
        /// The time it was given.
        timeout: Duration,
        /// Whether it was killed.
        kill: KillOutcome,
        /// How it ended and what it had written, if it was killed.
        output: Option<Box<Output>>,
    },
    /// A command failed, and the agent's message is not shown, since it contains the password that was to be set.
    Withheld {
        /// The command.
        command: &'static str,
        /// Whether it may have run.
        execution: Execution,
    },
    /// The operation failed halfway. Some of its steps were done; of the others it is not known, or they were not.
    Partial {
        /// How many steps were done, counted from the first.
        done: usize,
        /// How many steps there are.
        of: usize,
        /// Why the next step failed.
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

    /// Whether the operation may have done something in the guest. For an operation of several commands, this is
    /// about the command that failed.
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

    /// Whether a limit of time was exceeded: the timeout of a command or of the operation, or the handle's
    /// [deadline](super::Guest::within).
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

    /// What the machine is in place of running, if the operation ended because of that; see
    /// [`Error::machine_stopped`].
    #[must_use]
    pub fn machine_stopped(&self) -> Option<Power> {
        self.command_error().and_then(Error::machine_stopped)
    }

    /// Whether the other side closed the channel.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.command_error().is_some_and(Error::is_closed)
    }

    /// How long the client will not try to open the channel again; see [`Error::retry_after`].
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.command_error().and_then(Error::retry_after)
    }

    /// Whether it is useless to try again with this client; see [`Error::is_permanent`].
    #[must_use]
    pub fn is_permanent(&self) -> bool {
        self.command_error().is_some_and(Error::is_permanent)
    }

    /// Whether another client holds the [lock](super::GuestBuilder::lock) of the channel.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.command_error().is_some_and(Error::is_held)
    }

    /// Whether the client's [policy](super::GuestBuilder::allow) forbids the command.
    #[must_use]
    pub fn is_not_allowed(&self) -> bool {
        self.command_error().is_some_and(Error::is_not_allowed)
    }

    /// Whether the agent refused a command, because it does not know it, has it disabled, or is frozen.
    /// [`is_disabled`](Self::is_disabled) and [`is_frozen`](Self::is_frozen) tell these apart as far as the agent's
    /// message allows; [`Refusal::explain`] asks the agent.
    #[must_use]
    pub fn is_command_not_found(&self) -> bool {
        self.refusal().is_some()
            || self
                .command_error()
                .is_some_and(Error::is_command_not_found)
    }

    /// Whether the agent knows the command but has it disabled, as far as its message tells.
    #[must_use]
    pub fn is_disabled(&self) -> bool {
        matches!(self.refusal(), Some(Refusal::Disabled { .. }))
            || self.command_error().is_some_and(Error::is_disabled)
    }

    /// Whether the command has to wait until the guest's filesystems are thawed, as far as this client knows or the
    /// agent's message tells.
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
                stage: ReadyStage::Command(refusal),
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

    /// Whether the operation was on a file or a process of an agent that is [gone](Self::AgentGone). The file has to
    /// be opened again; the process has ended, or nobody can ask for its end any more.
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

/// For code that reads and writes files as streams. [`io::Error::get_ref`] returns the [`GuestError`].
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
