//! What goes wrong with a connection, as the errors of `qga-core`.

use std::sync::Arc;
use std::time::Duration;

use qga_core::parts::{error, error_again};
use qga_core::{AgentError, CommandSpec, Error, ErrorKind, Execution, Stage};

use crate::wire::session::{End, Failure, Progress};

/// A failure that may be told to many.
#[derive(Clone, Debug)]
pub(crate) struct Cause(Arc<Error>);

impl Cause {
    pub(crate) fn new(error: Error) -> Self {
        Self(Arc::new(error))
    }

    fn of(stage: Stage, execution: Execution, kind: ErrorKind) -> Self {
        Self::new(error(stage, execution, kind, None, None))
    }

    pub(crate) fn of_agent(agent: AgentError) -> Self {
        let execution = if agent.is_command_not_found() {
            Execution::NotRun
        } else {
            Execution::Answered
        };
        Self::of(Stage::Receive, execution, ErrorKind::Agent(agent))
    }

    pub(crate) fn of_failure(failure: Failure) -> Self {
        let kind = match failure {
            Failure::TooLong(limit) => ErrorKind::ReplyTooLong(limit),
            Failure::Malformed(reason, line) => ErrorKind::Malformed { reason, line },
            Failure::Unattributed(error) => ErrorKind::Unattributed(error),
        };
        Self::of(Stage::Receive, Execution::MaybeRun, kind)
    }

    pub(crate) fn of_end(end: Option<End>, is_ready: bool) -> Self {
        let kind = match end {
            None => ErrorKind::Closed(None),
            Some(End::Closed(cause)) => ErrorKind::Closed(cause),
            Some(End::Malformed(reason, line)) => ErrorKind::Malformed { reason, line },
            Some(End::Refused(error)) => ErrorKind::Agent(error),
        };
        let stage = if is_ready {
            Stage::Receive
        } else {
            Stage::Negotiate
        };
        Self::of(stage, Execution::MaybeRun, kind)
    }

    /// The stream that a monitor was made from has ended before.
    pub(crate) fn of_lost_stream() -> Self {
        Self::of(Stage::Connect, Execution::NotRun, ErrorKind::Closed(None))
    }

    /// The error of a command that had come so far, or of connecting.
    pub(crate) fn told_to(
        &self,
        spec: Option<&CommandSpec<'_>>,
        progress: Progress,
        address: Option<&Arc<str>>,
    ) -> Error {
        let execution = match progress {
            Progress::Queued => Execution::NotRun,
            Progress::Writing | Progress::Written => self.0.execution(),
        };
        error_again(&self.0, execution, spec, address)
    }
}

/// A step of connecting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Open,
    Greeting,
    Negotiation,
}

impl Cause {
    /// A step of connecting has taken too long.
    pub(crate) fn of_slow(step: Step, limit: Duration) -> Self {
        let (stage, kind) = match step {
            Step::Open => (Stage::Connect, ErrorKind::Timeout(limit)),
            // Who connects and is not greeted waits behind another client.
            Step::Greeting => (Stage::Negotiate, ErrorKind::Held { pid: None }),
            Step::Negotiation => (Stage::Negotiate, ErrorKind::Timeout(limit)),
        };
        Self::of(stage, Execution::NotRun, kind)
    }
}
