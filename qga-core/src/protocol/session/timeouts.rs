//! What the passing of time, and the end of the channel, mean to requests.

use std::io;
use std::time::Instant;

use super::pending::Pending;
use super::{Event, Session, State, Ticket};
use crate::command::NoReply;
use crate::error::{Error, ErrorKind, Execution, Power, Stage, TransportError};

impl Session {
    /// When [`handle_timeout`](Self::handle_timeout) is due.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let first = self.pendings.first()?.end();
        if self.pendings.is_single() && !matches!(self.state, State::Synchronizing(_)) {
            return Some(first);
        }
        let others = self.pendings.iter().skip(1).map(Pending::end);
        let due = others.chain(self.handshake_due()).min();
        Some(due.map_or(first, |due| due.min(first)))
    }

    /// Takes note of the time: sends a sync again, and lets [`poll`](Self::poll) tell of the requests
    /// whose time is over.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        self.is_settled = false;
        self.clock = Some(now);
        self.renew_handshake(now);
    }

    /// Whether time counts from the moment at which all is written.
    #[inline]
    pub(super) fn times_the_flush(&self) -> bool {
        let hopes = self.pendings.iter().any(Pending::hopes_for_silence);
        hopes || matches!(self.state, State::Synchronizing(_))
    }

    /// All is written.
    pub(super) fn begin_waiting(&mut self, now: Instant) {
        if !self.outgoing.is_flushed() {
            return;
        }
        self.begin_patience(now);
        for pending in self.pendings.in_flight_mut() {
            if pending.grace_end.is_none()
                && let Some(grace) = pending.grace
            {
                // Its deadline ends it first where that overflows.
                pending.grace_end = now.checked_add(grace);
            }
        }
    }

    pub(super) fn poll_expired(&mut self) -> Option<Event> {
        let now = self.clock?;
        if !self.decoder.is_drained() {
            // Who has begun to answer tells of a failure: it is heard out.
            self.pendings.end_graces(now);
        }
        let pending = self.pendings.take_over(now)?;
        let ticket = Ticket(pending.id);
        if pending.sent.is_some() && pending.ends_in_grace() && self.decoder.is_drained() {
            self.unsynchronize();
            return Some(Event::NoReply(ticket, NoReply::Silent));
        }
        let kind = pending.time_is_up();
        Some(Event::Failed(ticket, self.fail(&pending, kind)))
    }

    /// Whether it counts that the machine does not run: not for a request that hopes for silence, which may be what has
    /// stopped it.
    pub(crate) fn heeds_machine(&self) -> bool {
        let first = self.pendings.first();
        first.is_some_and(|first| !first.hopes_for_silence())
    }

    /// Has the first request fail, since its answer will not come from a machine that does not run.
    pub(crate) fn machine_stopped(&mut self, power: Power) -> Option<Event> {
        self.is_settled = false;
        let pending = self.pendings.pop_first()?;
        self.current.take_if(|current| current.id == pending.id);
        let error = self.fail(&pending, ErrorKind::MachineStopped(power));
        Some(Event::Failed(Ticket(pending.id), error))
    }

    /// The error of a request that is out of the queue and gets no answer.
    pub(super) fn fail(&mut self, pending: &Pending, kind: ErrorKind) -> Error {
        let stage = match (&kind, pending.sent) {
            (ErrorKind::Malformed { .. }, _) => Stage::Decode,
            (_, Some(_)) => pending.stage(&self.outgoing),
            (_, None) => self.waiting_stage(),
        };
        let execution = self.give_up(pending);
        Error::new(stage, execution, kind)
    }

    /// Takes back a request that is out of the queue, as far as that can be done, and says what is known of
    /// its execution.
    pub(super) fn give_up(&mut self, pending: &Pending) -> Execution {
        let Some(sent) = pending.sent else {
            return Execution::NotRun;
        };
        if self.is_closed() {
            return pending.execution(&self.outgoing);
        }
        let is_last = sent.end == self.outgoing.end();
        if is_last && pending.execution(&self.outgoing) == Execution::NotRun {
            self.outgoing.truncate(sent.start);
            return Execution::NotRun;
        }
        // What is left of it may still be written, unless a handshake comes before.
        self.unsynchronize();
        Execution::MaybeRun
    }

    /// The channel has ended: fails the requests, one at a time.
    pub(super) fn poll_closed(&mut self) -> Option<Event> {
        let State::Closed(closing) = &mut self.state else {
            return None;
        };
        let mut pending = self.pendings.pop_first()?;
        let ticket = Ticket(pending.id);
        let is_hoped_for = pending.hopes_for_silence() && closing.is_clean;
        let kind_only = || closing.cause_kind.map(io::Error::from);
        let kind = ErrorKind::Closed(closing.cause.take().or_else(kind_only));
        let waiting = closing.stage;
        if self.pendings.is_empty() {
            closing.stage = Stage::Send;
        }
        if is_hoped_for && pending.is_written(&self.outgoing) {
            return Some(Event::NoReply(ticket, NoReply::Closed));
        }
        let (stage, execution) = match pending.sent {
            Some(_) => (
                pending.stage(&self.outgoing),
                pending.execution(&self.outgoing),
            ),
            None => (waiting, Execution::NotRun),
        };
        if execution == Execution::NotRun {
            self.unsent = pending.take_back(&self.outgoing);
        }
        Some(Event::Failed(ticket, Error::new(stage, execution, kind)))
    }

    /// The transport of messages failed, and may have ended with that.
    pub(super) fn fail_message(&mut self, error: TransportError) -> Option<Event> {
        let pending = self.pendings.pop_first()?;
        let ticket = Ticket(pending.id);
        if error.is_end() && pending.hopes_for_silence() {
            self.closed(None);
            return Some(Event::NoReply(ticket, NoReply::Closed));
        }
        let grace_is_over = pending.grace_end.is_some_and(|end| self.clock >= Some(end));
        if error.is_timeout() && grace_is_over && pending.ends_in_grace() {
            return Some(Event::NoReply(ticket, NoReply::Silent));
        }
        let stage = error.stage();
        let (execution, kind) = error.into_parts(|| pending.time_is_up());
        match &kind {
            ErrorKind::Closed(cause) => {
                self.closed(cause.as_ref().map(|cause| cause.kind().into()));
            }
            ErrorKind::Open(error) => self.closed(Some(error.kind().into())),
            _ => {}
        }
        Some(Event::Failed(ticket, Error::new(stage, execution, kind)))
    }
}
