//! Why a transport of whole messages brought no answer.

use std::error::Error as StdError;
use std::{fmt, io};

use super::{AgentError, ErrorKind, Execution, Stage};

/// Why a [`MessageTransport`](crate::MessageTransport) brought no answer to a request, and whether the
/// request may have run.
///
/// ```
/// use qga_core::{Execution, TransportError};
///
/// let error = TransportError::closed(None).with_execution(Execution::NotRun);
/// assert_eq!(error.execution(), Execution::NotRun);
/// ```
#[derive(Debug)]
pub struct TransportError {
    cause: Cause,
    execution: Execution,
}

#[derive(Debug)]
enum Cause {
    Timeout,
    Closed(Option<io::Error>),
    Agent(AgentError),
    TooLong(usize),
    Open(io::Error),
    Other(Box<dyn StdError + Send + Sync>),
}

impl TransportError {
    fn new(cause: Cause, execution: Execution) -> Self {
        Self { cause, execution }
    }

    /// No answer came in time. The request may have run.
    #[must_use]
    pub fn timeout() -> Self {
        Self::new(Cause::Timeout, Execution::MaybeRun)
    }

    /// The transport ended, or the guest did: without a cause after the request was delivered, as when
    /// a guest powers off, and else by a failure. The request may have run.
    #[must_use]
    pub fn closed(cause: Option<io::Error>) -> Self {
        Self::new(Cause::Closed(cause), Execution::MaybeRun)
    }

    /// The guest agent answered with an error.
    #[must_use]
    pub fn agent(error: AgentError) -> Self {
        let execution = super::execution_of(&error);
        Self::new(Cause::Agent(error), execution)
    }

    /// The reply is longer than this many bytes. The request has run.
    #[must_use]
    pub fn reply_too_long(limit: usize) -> Self {
        Self::new(Cause::TooLong(limit), Execution::MaybeRun)
    }

    /// The transport cannot reach the agent at all, as when the machine is off or the user may not: what is said of a
    /// channel that cannot be opened. The request was not sent.
    #[must_use]
    pub fn cannot_open(error: io::Error) -> Self {
        Self::new(Cause::Open(error), Execution::NotRun)
    }

    /// Something else went wrong, which `error` tells. The request may have run.
    pub fn other(error: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::new(Cause::Other(error.into()), Execution::MaybeRun)
    }

    /// The same, where more is known of whether the request has run.
    #[must_use]
    pub fn with_execution(mut self, execution: Execution) -> Self {
        self.execution = execution;
        self
    }

    /// Whether the request may have run.
    #[must_use]
    pub fn execution(&self) -> Execution {
        self.execution
    }

    /// Whether it is the end that a command hopes for which is answered only on failure.
    pub(crate) fn is_end(&self) -> bool {
        matches!(self.cause, Cause::Closed(None)) && self.execution != Execution::NotRun
    }

    /// Whether the request was sent, and no answer came in time.
    pub(crate) fn is_timeout(&self) -> bool {
        matches!(self.cause, Cause::Timeout) && self.execution != Execution::NotRun
    }

    /// What was being done.
    pub(crate) fn stage(&self) -> Stage {
        match (&self.cause, self.execution) {
            (Cause::Agent(_), _) => Stage::Receive,
            (Cause::Open(_), _) => Stage::Connect,
            (_, Execution::NotRun) => Stage::Send,
            _ => Stage::Receive,
        }
    }

    /// What it is to a command, whose time may be up.
    pub(crate) fn into_parts(
        self,
        time_is_up: impl FnOnce() -> ErrorKind,
    ) -> (Execution, ErrorKind) {
        let kind = match self.cause {
            Cause::Timeout => time_is_up(),
            Cause::Closed(cause) => ErrorKind::Closed(cause),
            Cause::Agent(error) => ErrorKind::Agent(error),
            Cause::TooLong(limit) => ErrorKind::ReplyTooLong(limit),
            Cause::Open(error) => ErrorKind::Open(error),
            Cause::Other(error) => ErrorKind::Transport(error),
        };
        (self.execution, kind)
    }
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.cause {
            Cause::Timeout => f.write_str("no answer came in time"),
            Cause::Closed(_) => f.write_str("the transport has ended"),
            Cause::Agent(error) => error.fmt(f),
            Cause::TooLong(limit) => write!(f, "the reply is longer than {limit} bytes"),
            Cause::Open(error) => write!(f, "the agent cannot be reached: {error}"),
            Cause::Other(error) => error.fmt(f),
        }
    }
}

impl StdError for TransportError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match &self.cause {
            Cause::Closed(Some(error)) => Some(error),
            Cause::Open(error) => error.source(),
            Cause::Other(error) => error.source(),
            Cause::Timeout | Cause::Closed(None) | Cause::Agent(_) | Cause::TooLong(_) => None,
        }
    }
}
