//! Commands that are sent before the ones in front of them are answered.

use std::collections::VecDeque;
use std::iter::{Fuse, Peekable};
use std::time::{Duration, Instant};

use super::buffers;
use super::options::later;
use super::trace::Span;
use crate::command::{QgaCommand, Reply};
use crate::error::{Error, ErrorKind, Execution, Stage};
use crate::protocol::{Budget, Event, Request, Session, Ticket};

/// More in flight gain nothing, and each takes memory.
const MOST_IN_FLIGHT: usize = 1024;
/// An agent behind a virtio or serial port loses replies when it has read more than these 4 KiB of requests, since it
/// then cannot write: what its input buffer holds over has first to be sought back, which no port can do.
const MOST_UNANSWERED: usize = 4096;

type Response<I> = <<I as Iterator>::Item as QgaCommand>::Response;

/// The commands of a pipeline, and what has become of those that were taken from its iterator.
pub(crate) struct Ahead<I: Iterator<Item: QgaCommand>> {
    commands: Peekable<Fuse<I>>,
    capacity: usize,
    slots: VecDeque<Slot<Response<I>>>,
    /// Waits until those in flight leave room for it.
    held: Option<(I::Item, Request)>,
    /// The length of the requests in flight, in bytes.
    unanswered: usize,
    failed: bool,
    /// Of the result that is awaited, however often it is asked for.
    deadline: Option<Instant>,
    /// Since when it is waited for.
    expected: Option<Instant>,
}

/// What has to be done for the next result.
pub(crate) enum Step {
    /// It is there.
    Take,
    /// It has to be received.
    Receive(Ticket),
    /// The channel has to be had for the next command.
    Acquire,
    /// There are no more.
    Over,
}

enum Slot<R> {
    InFlight {
        ticket: Ticket,
        span: Span,
        length: usize,
    },
    Done(Result<R, Error>),
}

impl<I: Iterator<Item: QgaCommand>> Ahead<I> {
    pub(crate) fn new(commands: I) -> Self {
        const {
            assert!(
                matches!(I::Item::REPLY, Reply::Always),
                "a pipeline needs replies"
            );
        }
        Self {
            commands: commands.fuse().peekable(),
            capacity: 2,
            slots: VecDeque::new(),
            held: None,
            unanswered: 0,
            failed: false,
            deadline: None,
            expected: None,
        }
    }

    pub(crate) fn capacity(&self) -> usize {
        self.capacity
    }

    pub(crate) fn set_capacity(&mut self, commands: usize) {
        self.capacity = commands.clamp(1, MOST_IN_FLIGHT);
    }

    /// What there is for the next result, which counts from when it is first asked for.
    pub(crate) fn begin(&mut self, mut budget: Budget) -> Budget {
        budget.deadline = *self.deadline.get_or_insert(budget.deadline);
        budget
    }

    /// A result was given.
    pub(crate) fn end(&mut self) {
        (self.deadline, self.expected) = (None, None);
    }

    /// Gives a command in flight the time that is left for its result, and says since when it is waited for.
    pub(crate) fn expect(
        &mut self,
        session: &mut Session,
        ticket: Ticket,
        budget: &Budget,
        now: Instant,
    ) -> Instant {
        let expected = *self.expected.get_or_insert(now);
        session.set_time(ticket, &budget.for_reply(expected));
        expected
    }

    pub(crate) fn step(&mut self) -> Step {
        match self.slots.front() {
            Some(Slot::InFlight { ticket, .. }) => Step::Receive(*ticket),
            Some(Slot::Done(_)) => Step::Take,
            None if self.held.is_some() => Step::Acquire,
            None if self.failed || self.commands.peek().is_none() => Step::Over,
            None => Step::Acquire,
        }
    }

    pub(crate) fn take(&mut self) -> Option<Result<Response<I>, Error>> {
        match self.slots.pop_front() {
            Some(Slot::Done(result)) => Some(result),
            Some(Slot::InFlight { .. }) | None => None,
        }
    }

    /// The channel could not be had for the next command, which ends with this error.
    pub(crate) fn refuse(&mut self, error: Error) -> Option<Error> {
        self.failed = !error.is_not_allowed();
        let held = self.held.take().map(|(command, _)| command);
        held.or_else(|| self.commands.next()).map(|_| error)
    }

    pub(crate) fn has_any_in_flight(&self) -> bool {
        self.slots.iter().any(|slot| slot.ticket().is_some())
    }

    /// Sends as many commands as may be in flight.
    pub(crate) fn fill(
        &mut self,
        session: &mut Session,
        budget: &Budget,
        may_send: impl Fn() -> bool,
        span: impl Fn() -> Span,
    ) {
        let capacity = self.capacity.min(session.capacity());
        while !self.failed && self.slots.len() < capacity && may_send() {
            let (command, request) = match self.next_request() {
                None => return,
                Some(Ok(next)) => next,
                Some(Err(error)) => {
                    self.slots.push_back(Slot::Done(Err(error)));
                    continue;
                }
            };
            let length = request.line_length();
            let unanswered = self.unanswered.saturating_add(length);
            if self.unanswered > 0 && unanswered > MOST_UNANSWERED {
                self.held = Some((command, request));
                return;
            }
            self.unanswered = unanswered;
            let span = span();
            span.sent(request.length());
            let ticket = session.submit(&command.spec(), request, &far(budget));
            self.slots.push_back(Slot::InFlight {
                ticket,
                span,
                length,
            });
        }
    }

    fn next_request(&mut self) -> Option<Result<(I::Item, Request), Error>> {
        if let Some(held) = self.held.take() {
            return Some(Ok(held));
        }
        let command = self.commands.next()?;
        let request = Request::of(&command, buffers::take_line());
        Some(request.map_err(Error::encode).map(|it| (command, it)))
    }

    /// The command that an event tells of, and what has become of it.
    pub(crate) fn result(
        session: &mut Session,
        event: Event,
    ) -> Option<(Ticket, Result<Response<I>, Error>)> {
        match event {
            Event::Reply(ticket) => Some((ticket, session.reply_as(ticket))),
            Event::Failed(ticket, error) => Some((ticket, Err(error))),
            Event::NoReply(..) | Event::Synchronized(_) | Event::Passed => None,
        }
    }

    /// Stores a result; after a failure of the channel all that is in flight ends.
    pub(crate) fn settle(
        &mut self,
        session: &mut Session,
        ticket: Ticket,
        result: Result<Response<I>, Error>,
    ) {
        let is_over = result.as_ref().is_err_and(ends);
        let mut slots = self.slots.iter_mut();
        if let Some(slot) = slots.find(|slot| slot.ticket() == Some(ticket)) {
            slot.received(session.reply_length());
            self.unanswered = self.unanswered.saturating_sub(slot.end(result));
        }
        if is_over {
            self.failed = true;
            self.abandon(session);
        }
    }

    fn abandon(&mut self, session: &mut Session) {
        for slot in self.slots.iter_mut().rev() {
            if let Some(ticket) = slot.ticket() {
                let execution = session.cancel(ticket);
                let error = Error::new(Stage::Receive, execution, ErrorKind::Abandoned);
                slot.end(Err(error));
            }
        }
        self.unanswered = 0;
        if self.held.take().is_some() {
            let error = Error::new(Stage::Send, Execution::NotRun, ErrorKind::Abandoned);
            self.slots.push_back(Slot::Done(Err(error)));
        }
    }
}

impl<R> Slot<R> {
    fn received(&self, bytes: usize) {
        if let Self::InFlight { span, .. } = self {
            span.received(bytes);
        }
    }

    /// Gives how long the request was that is no longer in flight.
    fn end(&mut self, result: Result<R, Error>) -> usize {
        let length = match self {
            Self::InFlight { span, length, .. } => {
                span.end(&result);
                *length
            }
            Self::Done(_) => 0,
        };
        *self = Self::Done(result);
        length
    }

    fn ticket(&self) -> Option<Ticket> {
        match self {
            Self::InFlight { ticket, .. } => Some(*ticket),
            Self::Done(_) => None,
        }
    }
}

/// Whether the channel failed, and not the command alone.
fn ends(error: &Error) -> bool {
    !matches!(
        error.kind(),
        ErrorKind::Agent(_) | ErrorKind::Decode(_) | ErrorKind::ReplyLost
    )
}

/// The time of a result counts from when it is asked for.
fn far(budget: &Budget) -> Budget {
    Budget {
        deadline: later(budget.deadline, Duration::MAX),
        ..*budget
    }
}
