//! What a `tracing` subscriber hears: a span for each command, and what becomes of the channel.
//!
//! Names, sizes, times and fixed words only: nothing that a guest or a caller has written, so that no
//! argument, secret or content can get out. Without the feature nothing of this is left.

use crate::error::Error;
use crate::transport::Address;

/// A command that is under way.
#[derive(Clone, Debug)]
pub(crate) struct Span {
    #[cfg(feature = "tracing")]
    span: tracing::Span,
    #[cfg(feature = "tracing")]
    start: tokio::time::Instant,
}

#[cfg(feature = "tracing")]
mod on {
    use tokio::time::Instant;
    use tracing::field::Empty;
    use tracing::{debug, debug_span};

    use super::{Address, Error, Span};
    use crate::error::{ErrorKind, Execution, Stage};
    use crate::text::Excerpt;

    impl Span {
        pub(crate) fn new(command: &str, address: Option<&Address>) -> Self {
            let span = debug_span!(
                "guest_command",
                command = %Excerpt(command),
                address = address.map(tracing::field::display),
                request_bytes = Empty,
                reply_bytes = Empty,
                duration_us = Empty,
                outcome = Empty,
                stage = Empty,
                execution = Empty,
            );
            let start = Instant::now();
            Self { span, start }
        }

        /// Polls within the span.
        pub(crate) fn within<R>(&self, poll: impl FnOnce() -> R) -> R {
            self.span.in_scope(poll)
        }

        pub(crate) fn sent(&self, bytes: usize) {
            self.span.record("request_bytes", bytes);
        }

        pub(crate) fn received(&self, bytes: usize) {
            self.span.record("reply_bytes", bytes);
        }

        pub(crate) fn end<R>(&self, result: &Result<R, Error>) {
            let took = self.start.elapsed().as_micros();
            let took = u64::try_from(took).unwrap_or(u64::MAX);
            self.span.record("duration_us", took);
            let Err(error) = result else {
                self.span.record("outcome", "ok");
                return;
            };
            self.span.record("outcome", outcome(error.kind()));
            self.span.record("stage", stage(error.stage()));
            self.span.record("execution", execution(error.execution()));
        }
    }

    pub(crate) fn event(what: &'static str) {
        debug!("{what}");
    }

    fn outcome(kind: &ErrorKind) -> &'static str {
        match kind {
            ErrorKind::Agent(_) => "agent error",
            ErrorKind::Timeout(_) | ErrorKind::Deadline(_) => "timeout",
            ErrorKind::Closed(_) => "closed",
            ErrorKind::NotAllowed(_) => "not allowed",
            ErrorKind::Malformed { .. } => "malformed",
            ErrorKind::ReplyTooLong(_) => "reply too long",
            ErrorKind::Decode(_) => "reply does not fit",
            ErrorKind::NotASocket | ErrorKind::Open(_) => "not connected",
            _ => "failed",
        }
    }

    fn stage(stage: Stage) -> &'static str {
        match stage {
            Stage::Connect => "connect",
            Stage::Queue => "queue",
            Stage::Sync => "sync",
            Stage::Negotiate => "negotiate",
            Stage::Send => "send",
            Stage::Receive => "receive",
            Stage::Decode => "decode",
            Stage::Work => "work",
        }
    }

    fn execution(execution: Execution) -> &'static str {
        match execution {
            Execution::NotRun => "not run",
            Execution::MaybeRun => "maybe run",
            Execution::Answered => "answered",
        }
    }
}

#[cfg(feature = "tracing")]
pub(crate) use on::event;

#[cfg(not(feature = "tracing"))]
#[allow(clippy::unused_self)]
impl Span {
    pub(crate) fn new(_: &str, _: Option<&Address>) -> Self {
        Self {}
    }

    pub(crate) fn within<R>(&self, poll: impl FnOnce() -> R) -> R {
        poll()
    }

    pub(crate) fn sent(&self, _: usize) {}

    pub(crate) fn received(&self, _: usize) {}

    pub(crate) fn end<R>(&self, _: &Result<R, Error>) {}
}

#[cfg(not(feature = "tracing"))]
pub(crate) fn event(_: &'static str) {}
