//! The engine: from requests and bytes to outcomes.

use std::io;
use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use super::frame::{Decoder, Progress};
use super::handshake::{Ids, LIMITS};
use super::limits::{ReplyLimits, SyncBudget};
use super::message::{IdText, Request};
use super::outgoing::Outgoing;
use super::random::Random;
use crate::command::{CommandSpec, NoReply, Reply};
use crate::error::{Error, ErrorKind, Execution, Stage, TransportError};

mod pending;
mod replies;
mod synchronizing;
mod timeouts;

use pending::{Pending, Pendings, Sent};
use replies::Current;
use synchronizing::Synchronizing;

/// The protocol of one channel.
///
/// Requests go in with [`submit`](Self::submit) and come back as [events](Event), in their order. Once
/// something odd has happened - a deadline passed, a request was cancelled, a line made no sense - the
/// channel is unsynchronized, and nothing is sent before a handshake.
#[derive(Debug)]
pub(crate) struct Session {
    carrier: Carrier,
    state: State,
    /// Whether the next line may be anything, so that a handshake is due once nothing that is in
    /// flight can be answered any more.
    is_dirty: bool,
    decoder: Decoder,
    outgoing: Outgoing,
    pendings: Pendings,
    next_id: u64,
    next_id_text: IdText,
    random: Random,
    /// The longest request, in bytes.
    request_limit: Option<usize>,
    /// The reply that [`reply`](Self::reply) is to decode.
    current: Option<Current>,
    /// Why nothing can be written any more.
    write_error: Option<io::Error>,
    transport_error: Option<Box<TransportError>>,
    /// The request that failed last, if it was not sent.
    unsent: Option<Request>,
    /// The last time that was told.
    clock: Option<Instant>,
    /// Of the line that was read last, in bytes.
    reply_length: usize,
    /// How many were begun.
    handshakes: u64,
    /// Whether nothing was sent since the handshake.
    is_fresh: bool,
    /// Whether nothing has happened since there was nothing to tell.
    is_settled: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Carrier {
    Bytes,
    /// Whole messages, one at a time: no lines and no handshake.
    Messages,
}

#[derive(Debug)]
enum State {
    Unsynchronized,
    Synchronizing(Box<Synchronizing>),
    Synchronized(Ids),
    Closed(Closing),
}

/// How a channel ended.
#[derive(Debug)]
struct Closing {
    /// At its end, after all was written, and not by a failure.
    is_clean: bool,
    /// Until the first request hears of it.
    cause: Option<io::Error>,
    /// For those that come later.
    cause_kind: Option<io::ErrorKind>,
    /// What was being done for the requests that waited.
    stage: Stage,
}

/// A request that was submitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Ticket(u64);

/// How much time a request has, and how much may be read for it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Budget {
    pub(crate) deadline: Instant,
    /// How long that was from the beginning.
    pub(crate) timeout: Duration,
    /// Whether the deadline is one that many commands share.
    pub(crate) is_shared: bool,
    /// How much of it a request and its reply may take, in milliseconds, where that is set: a budget is copied
    /// for each command, so it is kept small.
    pub(crate) reply_millis: Option<NonZeroU32>,
    /// How long to listen for an error once all of a command is sent that is answered only on failure.
    pub(crate) grace: Duration,
    pub(crate) reply: ReplyLimits,
    pub(crate) sync: SyncBudget,
}

impl Budget {
    /// When its time began.
    pub(crate) fn start(&self) -> Instant {
        self.deadline
            .checked_sub(self.timeout)
            .unwrap_or(self.deadline)
    }

    /// Nothing is begun once the deadline that commands share has passed.
    #[inline]
    pub(crate) fn check(&self, now: impl FnOnce() -> Instant) -> Result<(), Error> {
        if self.is_shared && self.deadline <= now() {
            return Err(self.ended_in_queue());
        }
        Ok(())
    }

    /// The error of who had no turn in time.
    pub(crate) fn ended_in_queue(&self) -> Error {
        Error::new(Stage::Queue, Execution::NotRun, self.time_is_up())
    }

    /// What it is that the time is up.
    pub(crate) fn time_is_up(&self) -> ErrorKind {
        if self.is_shared {
            ErrorKind::Deadline(self.timeout)
        } else {
            ErrorKind::Timeout(self.timeout)
        }
    }
}

/// What became of a request.
#[derive(Debug)]
#[cfg_attr(
    not(test),
    allow(dead_code, reason = "a driver with one request knows its ticket")
)]
pub(crate) enum Event {
    /// Its reply is there: [`Session::reply`] reads it.
    Reply(Ticket),
    /// It ended well without a reply.
    NoReply(Ticket, NoReply),
    /// The channel is synchronized.
    Synchronized(Ticket),
    Failed(Ticket, Error),
    /// A line was passed over. Nothing became of any request, but time may have.
    Passed,
}

impl Event {
    /// Whether the agent has answered a command.
    pub(crate) fn is_answer(&self) -> bool {
        match self {
            Self::Reply(_) => true,
            Self::NoReply(_, how) => *how == NoReply::Replied,
            Self::Failed(_, error) => matches!(error.kind(), ErrorKind::Agent(_)),
            Self::Synchronized(_) | Self::Passed => false,
        }
    }
}

impl Session {
    /// A session over a stream of bytes, which may hold anything from earlier.
    pub(crate) fn bytes(random: Random) -> Self {
        Self::new(random, Carrier::Bytes, State::Unsynchronized)
    }

    /// A session over a transport that carries whole messages and pairs them.
    pub(crate) fn messages(random: Random, request_limit: Option<usize>) -> Self {
        let state = State::Synchronized(Ids::Paired);
        Self {
            request_limit,
            ..Self::new(random, Carrier::Messages, state)
        }
    }

    fn new(mut random: Random, carrier: Carrier, state: State) -> Self {
        // From a random number on, so that a reply from before a snapshot, or to another program,
        // does not fit.
        let next_id = random.token();
        Self {
            carrier,
            state,
            is_dirty: false,
            decoder: Decoder::default(),
            outgoing: Outgoing::new(),
            pendings: Pendings::default(),
            next_id,
            next_id_text: IdText::new(next_id),
            random,
            request_limit: None,
            current: None,
            write_error: None,
            transport_error: None,
            unsent: None,
            clock: None,
            reply_length: 0,
            handshakes: 0,
            is_fresh: false,
            is_settled: false,
        }
    }

    /// Takes a request to be sent once the channel is synchronized.
    pub(crate) fn submit(
        &mut self,
        spec: &CommandSpec<'_>,
        request: Request,
        budget: &Budget,
    ) -> Ticket {
        let mut pending = self.pending(Some(request), budget);
        pending.is_secret = spec.secret;
        pending.grace = (spec.reply == Reply::OnErrorOnly).then_some(budget.grace);
        if let Some(limit) = spec.reply_limit {
            pending.limits.bytes = pending.limits.bytes.max(limit);
        }
        self.push(pending)
    }

    /// Takes the wish that the channel be synchronized.
    pub(crate) fn synchronize(&mut self, budget: &Budget) -> Ticket {
        let pending = self.pending(None, budget);
        self.push(pending)
    }

    #[inline]
    fn pending(&self, request: Option<Request>, budget: &Budget) -> Pending {
        Pending::new(self.next_id, self.next_id_text, request, budget)
    }

    #[inline]
    fn push(&mut self, pending: Pending) -> Ticket {
        self.is_settled = false;
        let id = pending.id;
        self.next_id += 1;
        self.next_id_text.increment();
        self.pendings.push(pending);
        Ticket(id)
    }

    /// Gives a request the time of another budget, where its time begins later than its sending.
    pub(crate) fn set_time(&mut self, ticket: Ticket, budget: &Budget) {
        self.is_settled = false;
        if let Some(pending) = self.pendings.find_mut(ticket.0) {
            pending.set_time(budget);
        }
    }

    /// Forgets a request that nobody waits for any more, and says what is known of its execution.
    pub(crate) fn cancel(&mut self, ticket: Ticket) -> Execution {
        self.is_settled = false;
        self.current.take_if(|current| current.id == ticket.0);
        match self.pendings.take(ticket.0) {
            Some(pending) => self.give_up(&pending),
            None => Execution::MaybeRun,
        }
    }

    /// Forgets all requests, also the one that can be [had back](Self::take_unsent): it must not be taken for
    /// that of the next caller.
    pub(crate) fn cancel_all(&mut self) {
        self.is_settled = false;
        self.current = None;
        self.unsent = None;
        while let Some(pending) = self.pendings.pop_last() {
            self.give_up(&pending);
        }
    }

    /// What is to be written.
    #[inline]
    pub(crate) fn transmit(&self) -> &[u8] {
        match self.write_error {
            None => self.outgoing.unwritten(),
            Some(_) => &[],
        }
    }

    /// Whether there is something to write or to flush.
    #[inline]
    pub(crate) fn wants_write(&self) -> bool {
        !self.outgoing.is_flushed() && self.write_error.is_none()
    }

    /// Takes the first `count` bytes of [`transmit`](Self::transmit) as written.
    #[inline]
    pub(crate) fn transmitted(&mut self, count: usize) {
        self.outgoing.advance(count);
    }

    /// Takes all that was written as flushed. From now on counts the grace of a command that is answered
    /// only on failure.
    #[inline]
    pub(crate) fn flushed(&mut self, now: impl FnOnce() -> Instant) {
        self.outgoing.flushed();
        if self.times_the_flush() {
            self.begin_waiting(now());
        }
    }

    /// Nothing can be written any more; what the other side has said before can still be read.
    pub(crate) fn transmit_failed(&mut self, error: io::Error) {
        self.write_error.get_or_insert(error);
    }

    /// Whether [writing failed](Self::transmit_failed), so that the channel ends with what can be read.
    pub(crate) fn is_broken(&self) -> bool {
        self.write_error.is_some()
    }

    /// Room for what is read; never empty.
    #[inline]
    pub(crate) fn spare(&mut self) -> &mut [u8] {
        self.decoder.spare()
    }

    /// Takes the first `count` bytes of [`spare`](Self::spare) as read.
    #[inline]
    pub(crate) fn received(&mut self, count: usize) {
        self.is_settled = false;
        self.is_fresh = false;
        self.decoder.filled(count);
    }

    /// The channel has ended: without a cause after its last byte, with one by a failure.
    pub(crate) fn closed(&mut self, cause: Option<io::Error>) {
        self.is_settled = false;
        let cause = self.write_error.take().or(cause);
        // Who has begun a line and hangs up is no guest that powers off.
        let is_clean = cause.is_none() && self.decoder.is_drained();
        self.state = State::Closed(Closing {
            is_clean,
            cause_kind: cause.as_ref().map(io::Error::kind),
            cause,
            stage: self.waiting_stage(),
        });
    }

    /// The message to send, of a session of messages. It counts as sent from here on.
    pub(crate) fn take_message(&mut self) -> Option<Vec<u8>> {
        (!self.outgoing.unwritten().is_empty()).then(|| self.outgoing.take())
    }

    /// The answer to the message.
    pub(crate) fn message_received(&mut self, mut message: Vec<u8>) {
        self.is_settled = false;
        if message.is_empty() {
            // It is an answer, and no lack of one.
            message.push(b' ');
        }
        self.decoder.set_message(message);
    }

    /// The message brought no answer.
    pub(crate) fn message_failed(&mut self, error: TransportError, message: Vec<u8>) {
        self.is_settled = false;
        if error.execution() == Execution::NotRun {
            let id = self.pendings.first().map(|first| first.id_text);
            self.unsent = Some(Request::from_bytes(message, id.as_ref()));
        }
        self.transport_error = Some(Box::new(error));
    }

    /// The request that failed last because the channel closed, if nothing of it was sent.
    #[inline]
    pub(crate) fn take_unsent(&mut self) -> Option<Request> {
        self.unsent.take()
    }

    /// Lends a buffer to read into, if there is none.
    #[inline]
    pub(crate) fn lend(&mut self, buffer: impl FnOnce() -> Vec<u8>) {
        self.decoder.lend(buffer);
    }

    /// Takes the buffer back; see [`lend`](Self::lend).
    #[inline]
    pub(crate) fn reclaim(&mut self) -> Option<Vec<u8>> {
        self.decoder.reclaim()
    }

    /// Takes the buffer of what was written, where nothing is left in it.
    #[inline]
    pub(crate) fn reclaim_line(&mut self) -> Option<Vec<u8>> {
        self.outgoing.reclaim()
    }

    #[inline]
    pub(crate) fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed(_))
    }

    /// Whether the next line answers the next request.
    #[inline]
    pub(crate) fn is_synchronized(&self) -> bool {
        matches!(self.state, State::Synchronized(_)) && !self.is_dirty
    }

    /// How many handshakes were begun.
    pub(crate) fn handshakes(&self) -> u64 {
        self.handshakes
    }

    /// Whether something was read that answers no request.
    #[inline]
    pub(crate) fn is_talking(&self) -> bool {
        !self.decoder.is_drained()
    }

    /// Makes a handshake due, as if the next line might be anything.
    pub(crate) fn forget_sync(&mut self) {
        if self.is_synchronized() {
            self.unsynchronize();
        }
    }

    /// How many requests may be in flight at once.
    #[inline]
    pub(crate) fn capacity(&self) -> usize {
        match self.state {
            // A reply that is lost could not be noticed.
            State::Synchronized(Ids::Unknown | Ids::Paired) => 1,
            _ => usize::MAX,
        }
    }

    /// The length of the line that was read last, in bytes.
    pub(crate) fn reply_length(&self) -> usize {
        self.reply_length
    }

    /// What became of the requests, one at a time; `None` where more has to be read, written or waited
    /// for.
    #[inline]
    pub(crate) fn poll(&mut self) -> Option<Event> {
        if self.is_settled {
            return None;
        }
        let event = self.poll_changed();
        self.is_settled = event.is_none();
        event
    }

    fn poll_changed(&mut self) -> Option<Event> {
        self.drop_undecoded();
        if let State::Unsynchronized = self.state
            && !self.pendings.is_empty()
        {
            self.begin_handshake();
        }
        let event = match self.state {
            State::Closed(_) => self.poll_closed(),
            State::Synchronizing(_) => self.poll_handshake(),
            State::Synchronized(ids) => self.poll_synchronized(ids),
            State::Unsynchronized => None,
        };
        event.or_else(|| self.poll_expired())
    }

    /// Makes a handshake due.
    fn unsynchronize(&mut self) {
        self.is_dirty = self.carrier == Carrier::Bytes;
    }

    fn poll_synchronized(&mut self, ids: Ids) -> Option<Event> {
        if let Some(event) = self.send_waiting(ids) {
            return Some(event);
        }
        match self.state {
            State::Synchronized(_) => self.poll_replies(ids),
            _ => self.poll_changed(),
        }
    }

    /// Sends what may be sent now.
    fn send_waiting(&mut self, ids: Ids) -> Option<Event> {
        loop {
            let in_flight = self.pendings.in_flight();
            self.pendings.first_waiting()?;
            if in_flight == 0 {
                self.check_idle(ids);
            }
            if self.is_dirty {
                // What is in flight may still be answered.
                if in_flight == 0 {
                    self.is_dirty = false;
                    self.state = State::Unsynchronized;
                }
                return None;
            }
            let is_full = in_flight >= self.capacity();
            let waiting = self.pendings.first_waiting()?;
            if waiting.is_sync {
                let ticket = Ticket(waiting.id);
                self.pendings.take(ticket.0);
                return Some(Event::Synchronized(ticket));
            }
            if is_full {
                return None;
            }
            let request = waiting.request.take()?;
            let with_id = ids != Ids::Unknown;
            let id = with_id.then_some(&waiting.id_text);
            let line = match self.carrier {
                Carrier::Bytes => request.into_line(id),
                Carrier::Messages => request.into_message(id),
            };
            if let Some(limit) = self.request_limit
                && line.len() > limit
            {
                let ticket = Ticket(waiting.id);
                self.pendings.take(ticket.0);
                let kind = ErrorKind::RequestTooLong(limit);
                let error = Error::new(Stage::Send, Execution::NotRun, kind);
                return Some(Event::Failed(ticket, error));
            }
            let start = self.outgoing.push(line);
            let end = self.outgoing.end();
            self.pendings.sent(Sent {
                start,
                end,
                with_id,
            });
            self.is_fresh = false;
        }
    }

    /// Nothing is in flight, so what is there answers nothing. What an agent has sent beside its answer to
    /// the sync is passed over; at any other time it says that the next line may be anything.
    fn check_idle(&mut self, ids: Ids) {
        if self.carrier == Carrier::Messages || self.decoder.is_drained() {
            return;
        }
        if self.is_fresh {
            while self.decoder.advance(LIMITS.bytes) != Progress::Incomplete {}
        }
        let is_harmless = self.is_fresh && ids == Ids::Echoed;
        self.is_dirty |= !is_harmless && !self.decoder.is_drained();
    }
}

#[cfg(test)]
mod tests;
