//! What can go wrong, where, and whether the guest may have acted.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;
use std::{fmt, io};

use serde::Deserialize;

use crate::command::{CommandSpec, NoReply};
use crate::json::JsonError;

mod address;
mod decode;
mod display;
mod opening;
mod power;
mod refusal;
mod transport;

pub use address::AddressError;
pub use decode::DecodeError;
pub(crate) use decode::decode;
pub(crate) use opening::Reason;
pub use power::Power;
use refusal::{Refusal, refusal};
pub use transport::TransportError;

/// A command or a connection that failed.
///
/// It tells what was being done ([`stage`](Self::stage), [`command`](Self::command),
/// [`address`](Self::address)), what went wrong ([`kind`](Self::kind)), and whether the command
/// may have run in the guest ([`execution`](Self::execution)). The message tells all that is known of it;
/// [`source`](std::error::Error::source) goes on below what the message says already.
pub struct Error(Box<Inner>);

struct Inner {
    /// Shared with the errors that tell of the same failure again, during a pause.
    kind: Arc<ErrorKind>,
    stage: Stage,
    execution: Execution,
    retry_after: Option<Duration>,
    permanent: bool,
    command: Option<Cow<'static, str>>,
    check: Option<&'static str>,
    address: Option<Arc<str>>,
}

/// What was being done when an [`Error`] came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Stage {
    /// Opening the socket.
    Connect,
    /// Waiting until other commands on the same channel are done.
    Queue,
    /// Finding the beginning of the agent's next reply, before the first command and after
    /// every disturbance.
    Sync,
    /// Waiting for the greeting of a machine's monitor, and for its consent to begin.
    Negotiate,
    /// Encoding or writing the request.
    Send,
    /// Waiting for the reply.
    Receive,
    /// Reading the reply.
    Decode,
    /// Doing what a [fleet](crate::Fleet) was to do with a guest, of which commands are only a part.
    Work,
}

/// Whether a command that failed did something in the guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Execution {
    /// It did not: it was not sent, or the agent refused it.
    NotRun,
    /// It is not known: it was sent, and its answer did not come or cannot be read.
    MaybeRun,
    /// The agent took it up and answered. If it answered with an error, it may have done nothing,
    /// or a part.
    Answered,
}

/// What went wrong.
#[derive(Debug)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The address cannot be read.
    Address(AddressError),
    /// The socket cannot be opened.
    Open(io::Error),
    /// Another client holds the [lock](crate::ClientBuilder::lock) of the channel.
    Held {
        /// Its process, if that is known.
        pid: Option<u32>,
    },
    /// The [lock](crate::ClientBuilder::lock) of the channel cannot be taken.
    Lock(io::Error),
    /// The path is there, but it is no socket.
    NotASocket,
    /// The client refused to send the command, for this reason: by what it was
    /// [made](crate::ClientBuilder::deny) to refuse, or by a [hold](crate::Client::hold).
    NotAllowed(Cow<'static, str>),
    /// The time given to the command was not enough.
    Timeout(Duration),
    /// The [deadline](crate::Options::deadline) of the handle, which is for all its commands, came this long
    /// after the command had begun. Zero: it had passed, and nothing was begun.
    Deadline(Duration),
    /// The machine does not run, as its host [tells](crate::MachineWatch), and no answer came for as long as
    /// [is waited then](crate::Options::machine_timeout).
    MachineStopped(Power),
    /// The other side closed the channel; with an error where it did not end as it should, as after a
    /// reset.
    Closed(Option<io::Error>),
    /// The agent answered with an error.
    Agent(AgentError),
    /// The agent refuses both sync commands, as where its administrator has disabled them.
    SyncRefused(AgentError),
    /// The agent could not read what arrived. The error carries no id, so it may speak of
    /// something other than this command.
    Unattributed(AgentError),
    /// A line was longer than this many bytes.
    ReplyTooLong(usize),
    /// The request is longer than the transport carries, which is so many bytes.
    RequestTooLong(usize),
    /// The channel held more than a sync may [pass over](crate::Options::skip_limit).
    TooMuchSkipped {
        /// What was passed over, in bytes.
        bytes: u64,
        /// And in lines.
        lines: u64,
    },
    /// A line is no reply.
    Malformed {
        /// In which way.
        reason: Malformed,
        /// The line; of a long one only the beginning and the end.
        line: String,
    },
    /// The agent answered a later command of the same pipeline, so this answer will not come.
    ReplyLost,
    /// An earlier command of the same pipeline failed, and the channel with it.
    Abandoned,
    /// The command ended well without a reply, and its type has
    /// [no response](crate::QgaCommand::no_reply) for that.
    NoResponse(NoReply),
    /// The transport of whole messages failed in a way of its own.
    Transport(Box<dyn std::error::Error + Send + Sync>),
    /// The arguments do not serialize.
    Encode(JsonError),
    /// The reply does not fit the command's response type.
    Decode(DecodeError),
}

/// In which way a line is no reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Malformed {
    /// It is not UTF-8.
    NotUtf8,
    /// It is not JSON.
    NotJson,
    /// It nests deeper than the [limit](crate::Options::depth_limit).
    TooDeep,
    /// A list or an object in it is longer than the [limit](crate::Options::list_limit).
    TooManyItems,
    /// It is JSON, but no object.
    NotAnObject,
    /// It has neither `return` nor `error`.
    NoReturnOrError,
    /// It has both `return` and `error`.
    ReturnAndError,
    /// It has a member twice.
    DuplicateMember,
    /// Its `error` lacks `class` or `desc`.
    BadError,
}

impl Malformed {
    /// Whether the channel is at fault rather than the agent, so that the next reply may be better.
    pub(crate) fn is_damage(self) -> bool {
        !matches!(self, Self::TooDeep | Self::TooManyItems)
    }
}

/// The error that an agent answered.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct AgentError {
    /// `GenericError` or `CommandNotFound`, in QEMU's own agents; others have other classes too.
    pub class: String,
    /// The agent's words. They differ from version to version.
    pub desc: String,
}

impl AgentError {
    /// Whether the agent has refused the command, and not tried it: it does not know it, has it
    /// disabled, or is frozen.
    ///
    /// Since QEMU 4.2 a class stands for all three. Older agents and those of other makers are known by
    /// their words too.
    #[must_use]
    pub fn is_command_not_found(&self) -> bool {
        refusal(self).is_some()
    }
}

impl Error {
    pub(crate) fn new(stage: Stage, execution: Execution, kind: ErrorKind) -> Self {
        Self(Box::new(Inner {
            kind: Arc::new(kind),
            stage,
            execution,
            retry_after: None,
            permanent: false,
            command: None,
            check: None,
            address: None,
        }))
    }

    pub(crate) fn sync(kind: ErrorKind) -> Self {
        Self::new(Stage::Sync, Execution::NotRun, kind)
    }

    pub(crate) fn encode(source: serde_json::Error) -> Self {
        Self::new(
            Stage::Send,
            Execution::NotRun,
            ErrorKind::Encode(JsonError::new(source)),
        )
    }

    pub(crate) fn agent(error: AgentError) -> Self {
        Self::new(
            Stage::Receive,
            execution_of(&error),
            ErrorKind::Agent(error),
        )
    }

    /// A reply that was told of, and is not there.
    pub(crate) fn lost_reply() -> Self {
        Self::new(Stage::Receive, Execution::MaybeRun, ErrorKind::ReplyLost)
    }

    /// A command that ended well without a reply, of whose type no response can be made.
    pub(crate) fn no_response(how: NoReply) -> Self {
        Self::new(
            Stage::Decode,
            Execution::Answered,
            ErrorKind::NoResponse(how),
        )
    }

    /// The error of this command.
    pub(crate) fn with_spec(mut self, spec: &CommandSpec<'_>) -> Self {
        if self.0.command.is_none() {
            self.0.command = Some(spec.name.clone().into_owned().into());
        }
        self.0.check = spec.check;
        self
    }

    pub(crate) fn with_command(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        self.0.command.get_or_insert(name.into());
        self
    }

    pub(crate) fn with_check(mut self, check: Option<&'static str>) -> Self {
        self.0.check = check;
        self
    }

    /// The error of a command that was sent before, when it may have run.
    pub(crate) fn after_maybe_run(mut self) -> Self {
        if self.0.execution == Execution::NotRun {
            self.0.execution = Execution::MaybeRun;
        }
        self
    }

    /// What a transport says of the execution, who knows more.
    pub(crate) fn with_execution(mut self, execution: Execution) -> Self {
        self.0.execution = execution;
        self
    }

    /// The client does not try the channel again for so long.
    pub(crate) fn with_retry_after(mut self, pause: Duration) -> Self {
        self.0.retry_after = Some(pause);
        self
    }

    /// The same failure, told to a command that was not sent because of it. The deadline of one handle is
    /// nothing to the others.
    pub(crate) fn again(&self, pause: Duration) -> Self {
        let kind = match self.kind() {
            ErrorKind::Deadline(time) => Arc::new(ErrorKind::Timeout(*time)),
            _ => Arc::clone(&self.0.kind),
        };
        Self(Box::new(Inner {
            kind,
            stage: self.0.stage,
            execution: Execution::NotRun,
            retry_after: Some(pause),
            permanent: self.0.permanent,
            command: None,
            check: None,
            address: None,
        }))
    }

    /// The same failure, told to another command.
    pub(crate) fn same(&self, execution: Execution) -> Self {
        Self(Box::new(Inner {
            kind: Arc::clone(&self.0.kind),
            stage: self.0.stage,
            execution,
            retry_after: None,
            permanent: self.0.permanent,
            command: None,
            check: None,
            address: None,
        }))
    }

    pub(crate) fn permanent(mut self) -> Self {
        self.0.permanent = true;
        self
    }

    pub(crate) fn with_address(mut self, address: Option<&Arc<str>>) -> Self {
        self.0.address = address.cloned();
        self
    }

    /// What went wrong.
    #[must_use]
    pub fn kind(&self) -> &ErrorKind {
        &self.0.kind
    }

    /// What was being done.
    #[must_use]
    pub fn stage(&self) -> Stage {
        self.0.stage
    }

    /// Whether the command may have run in the guest.
    #[must_use]
    pub fn execution(&self) -> Execution {
        self.0.execution
    }

    /// How long the client does not try the channel again, since it could not be brought back twice in a row;
    /// see [`ClientBuilder::pauses`](crate::ClientBuilder::pauses). `None` if the next command tries again.
    ///
    /// Until then, commands fail at once with the same [`kind`](Self::kind) and [`stage`](Self::stage),
    /// unless they [wait](crate::Options::wait_for_channel).
    ///
    /// ```
    /// # #[derive(qga_core::QgaCommand)]
    /// # #[qga(name = "guest-ping", retry = Safe)]
    /// # struct Ping;
    /// # async fn example(client: qga_core::Client) {
    /// while let Err(error) = client.execute(Ping).await {
    ///     println!("{error}");
    ///     match error.retry_after() {
    ///         Some(pause) => tokio::time::sleep(pause).await,
    ///         None if error.is_permanent() => break,
    ///         None => {}
    ///     }
    /// }
    /// # }
    /// ```
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// Whether trying again is of no use through this client: its channel has ended, and it was made from a
    /// stream, which it cannot open again; its address can never be opened, as a path that is too long; or it
    /// was made to [refuse](crate::ClientBuilder::deny) the command.
    #[must_use]
    pub fn is_permanent(&self) -> bool {
        self.0.permanent
    }

    /// What shows whether the command has run, where that is [not known](Execution::MaybeRun) and
    /// the command [says](crate::QgaCommand::CHECK) so: a phrase to stand after "check".
    #[must_use]
    pub fn check(&self) -> Option<&'static str> {
        self.0
            .check
            .filter(|_| self.execution() == Execution::MaybeRun)
    }

    /// The command's name, if it came to a command.
    #[must_use]
    pub fn command(&self) -> Option<&str> {
        self.0.command.as_deref()
    }

    /// The agent's address, if the client was made from one.
    #[must_use]
    pub fn address(&self) -> Option<&str> {
        self.0.address.as_deref()
    }

    /// The error that the agent answered to the command, if it did.
    #[must_use]
    pub fn agent_error(&self) -> Option<&AgentError> {
        match self.kind() {
            ErrorKind::Agent(error) => Some(error),
            _ => None,
        }
    }

    /// How the reply does not fit the response type, if that is what went wrong.
    #[must_use]
    pub fn decode_error(&self) -> Option<&DecodeError> {
        match self.kind() {
            ErrorKind::Decode(error) => Some(error),
            _ => None,
        }
    }

    /// Whether the time given was not enough, to the command or, as [`is_deadline`](Self::is_deadline) tells, to
    /// all commands of the handle.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        matches!(self.kind(), ErrorKind::Timeout(_) | ErrorKind::Deadline(_))
    }

    /// Whether the [deadline](crate::Options::deadline) of the handle has passed. Nothing that is sent through it
    /// later is carried out.
    #[must_use]
    pub fn is_deadline(&self) -> bool {
        matches!(self.kind(), ErrorKind::Deadline(_))
    }

    /// What the machine is in place of running, if the command ended [because of that](ErrorKind::MachineStopped).
    #[must_use]
    pub fn machine_stopped(&self) -> Option<Power> {
        match self.kind() {
            ErrorKind::MachineStopped(power) => Some(*power),
            _ => None,
        }
    }

    /// Whether the other side closed the channel.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        matches!(self.kind(), ErrorKind::Closed(_))
    }

    /// Whether another client holds the [lock](crate::ClientBuilder::lock) of the channel.
    #[must_use]
    pub fn is_held(&self) -> bool {
        matches!(self.kind(), ErrorKind::Held { .. })
    }

    /// Whether the client refused to send the command.
    #[must_use]
    pub fn is_not_allowed(&self) -> bool {
        matches!(self.kind(), ErrorKind::NotAllowed(_))
    }

    /// Whether the agent refused the command: it does not know it, has it disabled, or is
    /// frozen. [`is_disabled`](Self::is_disabled) and [`is_frozen`](Self::is_frozen) tell more.
    #[must_use]
    pub fn is_command_not_found(&self) -> bool {
        self.agent_error()
            .is_some_and(AgentError::is_command_not_found)
    }

    /// Whether the agent knows the command but has it disabled, by its words. Of QEMU's agents,
    /// old and new ones (3.1 and 10.0 do, 7.2 does not) say the same while they are frozen.
    #[must_use]
    pub fn is_disabled(&self) -> bool {
        self.refusal() == Some(Refusal::Disabled)
    }

    /// Whether the agent refused because its filesystems are frozen, by its words. Not all agents say
    /// so (of QEMU's, 7.2 does, 3.1 and 10.0 do not); ask the others for `guest-fsfreeze-status`.
    #[must_use]
    pub fn is_frozen(&self) -> bool {
        self.refusal() == Some(Refusal::Frozen)
    }

    /// Whether the agent's reply was there but could not be used: malformed, too long, or of
    /// another shape than the response type.
    #[must_use]
    pub fn is_bad_reply(&self) -> bool {
        matches!(
            self.kind(),
            ErrorKind::Malformed { .. } | ErrorKind::ReplyTooLong(_) | ErrorKind::Decode(_)
        )
    }

    fn refusal(&self) -> Option<Refusal> {
        refusal(self.agent_error()?)
    }
}

/// What an agent's error says of the command's execution.
fn execution_of(error: &AgentError) -> Execution {
    if error.is_command_not_found() {
        Execution::NotRun
    } else {
        Execution::Answered
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.below()
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("stage", &self.0.stage)
            .field("execution", &self.0.execution)
            .field("retry_after", &self.0.retry_after)
            .field("permanent", &self.0.permanent)
            .field("command", &self.0.command)
            .field("check", &self.0.check)
            .field("address", &self.0.address)
            .finish()
    }
}
