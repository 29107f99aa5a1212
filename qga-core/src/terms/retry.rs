//! When a command is sent again.

use std::time::Instant;

use super::Contact;
use super::trace::Span;
use crate::RetryClass;
use crate::command::CommandSpec;
use crate::error::{Error, ErrorKind, Execution};
use crate::protocol::{Budget, Event, Request, Response, Session};

/// How often a command is sent at most.
pub(crate) const TRIES: u32 = 3;

/// After which failures a command is sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Repeat {
    Never,
    /// Where nothing of it was sent.
    Unsent,
    /// After any failure of the channel.
    Lost,
}

/// A command on its way.
pub(crate) struct Call<'a> {
    pub(crate) spec: CommandSpec<'a>,
    pub(crate) budget: Budget,
    pub(crate) repeat: Repeat,
    /// Whether it waits for a channel that was lost.
    pub(crate) waits: bool,
    /// In which it was answered or failed.
    pub(crate) contact: Option<Contact>,
    /// Unless it was sent and is not to be sent again.
    request: Option<Request>,
}

impl<'a> Call<'a> {
    #[inline]
    pub(crate) fn new(
        spec: CommandSpec<'a>,
        request: Request,
        options: &crate::Options,
        budget: Budget,
    ) -> Self {
        Self {
            repeat: Repeat::of(spec.retry, options.retry),
            spec,
            budget,
            waits: options.wait_for_channel,
            contact: None,
            request: Some(request),
        }
    }

    /// Sends it, which must not wait for anything.
    #[inline]
    pub(crate) fn submit(
        &mut self,
        session: &mut Session,
        now: impl FnOnce() -> Instant,
        span: &Span,
    ) {
        let Some(request) = self.take_request() else {
            return;
        };
        span.sent(request.length());
        match self.budget.reply_millis {
            None => session.submit(&self.spec, request, &self.budget),
            Some(_) => session.submit(&self.spec, request, &self.budget.for_reply(now())),
        };
    }

    /// What it has come to. What was not sent of it is kept for another try.
    #[inline]
    pub(crate) fn result(
        &mut self,
        session: &mut Session,
        event: Event,
        span: &Span,
        response: &mut dyn Response,
    ) -> Result<(), Error> {
        let result = match event {
            Event::Reply(ticket) => session.reply(ticket, response),
            Event::NoReply(_, how) if response.no_reply(how) => Ok(()),
            Event::NoReply(_, how) => Err(Error::no_response(how)),
            Event::Failed(_, error) => Err(error),
            Event::Synchronized(_) | Event::Passed => Err(Error::sync(ErrorKind::ReplyLost)),
        };
        span.received(session.reply_length());
        if result.is_err()
            && let Some(unsent) = session.take_unsent()
        {
            self.request = Some(unsent);
        }
        result
    }

    /// The request, for sending it; a copy is kept where it may be sent again after that.
    #[inline]
    fn take_request(&mut self) -> Option<Request> {
        let kept = match self.repeat {
            Repeat::Lost => self.request.clone(),
            Repeat::Unsent | Repeat::Never => None,
        };
        std::mem::replace(&mut self.request, kept)
    }

    /// Whether there is a request that can be sent.
    #[inline]
    pub(crate) fn has_request(&self) -> bool {
        self.request.is_some()
    }
}

impl Repeat {
    #[inline]
    pub(crate) fn of(class: RetryClass, most_daring: RetryClass) -> Self {
        match (class, most_daring) {
            (_, RetryClass::Never) => Self::Never,
            (RetryClass::Safe, _) | (RetryClass::AfterResync, RetryClass::AfterResync) => {
                Self::Lost
            }
            (RetryClass::Never | RetryClass::AfterResync, _) => Self::Unsent,
        }
    }

    /// Whether a command that failed so is sent again.
    pub(crate) fn allows(self, error: &Error) -> bool {
        let unsent = error.execution() == Execution::NotRun;
        match error.kind() {
            ErrorKind::Closed(_) => self == Self::Lost || (self == Self::Unsent && unsent),
            ErrorKind::Malformed { reason, .. } => self == Self::Lost && reason.is_damage(),
            ErrorKind::Unattributed(_) => self == Self::Lost,
            _ => false,
        }
    }
}

/// The error of a try that came after a failed one, which may have told of a command that was sent.
pub(crate) fn following(before: Option<Error>, error: Error) -> Error {
    match before {
        Some(before) if error.is_not_allowed() => before,
        Some(before) if before.execution() == Execution::MaybeRun => error.after_maybe_run(),
        _ => error,
    }
}
