//! Requests that have not ended.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::Budget;
use crate::error::{ErrorKind, Execution, Stage};
use crate::protocol::limits::{ReplyLimits, SyncBudget};
use crate::protocol::matching::InFlight;
use crate::protocol::message::{IdText, Request};
use crate::protocol::outgoing::Outgoing;

/// A request that has not ended.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) id: u64,
    pub(super) id_text: IdText,
    /// Until it is sent.
    pub(super) request: Option<Request>,
    /// Whether it is but the wish that the channel be synchronized.
    pub(super) is_sync: bool,
    pub(super) sent: Option<Sent>,
    pub(super) deadline: Instant,
    timeout: Duration,
    is_shared: bool,
    pub(super) limits: ReplyLimits,
    pub(super) sync: SyncBudget,
    pub(super) is_secret: bool,
    /// How long to listen for an error, of a command that is answered only on failure.
    pub(super) grace: Option<Duration>,
    /// The end of the grace, once all of the command is sent.
    pub(super) grace_end: Option<Instant>,
}

/// The place of a request in what is written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sent {
    pub(super) start: u64,
    pub(super) end: u64,
    pub(super) with_id: bool,
}

/// Requests in the order in which they were submitted: first those in flight, then those that wait.
#[derive(Debug)]
pub(super) struct Pendings {
    queue: VecDeque<Pending>,
    in_flight: usize,
}

impl Default for Pendings {
    fn default() -> Self {
        Self {
            // Most clients have one at a time, and each idle one keeps the room.
            queue: VecDeque::with_capacity(1),
            in_flight: 0,
        }
    }
}

impl Pending {
    #[inline]
    pub(super) fn new(id: u64, id_text: IdText, request: Option<Request>, budget: &Budget) -> Self {
        Self {
            id,
            id_text,
            is_sync: request.is_none(),
            request,
            sent: None,
            deadline: budget.deadline,
            timeout: budget.timeout,
            is_shared: budget.is_shared,
            limits: budget.reply,
            sync: budget.sync,
            is_secret: false,
            grace: None,
            grace_end: None,
        }
    }

    pub(super) fn set_time(&mut self, budget: &Budget) {
        self.deadline = budget.deadline;
        self.timeout = budget.timeout;
        self.is_shared = budget.is_shared;
    }

    /// What it is that its time is up.
    pub(super) fn time_is_up(&self) -> ErrorKind {
        if self.is_shared {
            ErrorKind::Deadline(self.timeout)
        } else {
            ErrorKind::Timeout(self.timeout)
        }
    }

    /// Whether it is answered only on failure.
    #[inline]
    pub(super) fn hopes_for_silence(&self) -> bool {
        self.grace.is_some()
    }

    /// When it ends if nothing comes.
    #[inline]
    pub(super) fn end(&self) -> Instant {
        match self.grace_end {
            Some(end) => end.min(self.deadline),
            None => self.deadline,
        }
    }

    /// Whether its silence until [`end`](Self::end) is what it hopes for.
    pub(super) fn ends_in_grace(&self) -> bool {
        self.grace_end.is_some_and(|end| end <= self.deadline)
    }

    pub(super) fn execution(&self, outgoing: &Outgoing) -> Execution {
        match self.sent {
            Some(sent) if outgoing.position() > sent.start => Execution::MaybeRun,
            _ => Execution::NotRun,
        }
    }

    /// The request, if it can be had back.
    pub(super) fn take_back(&mut self, outgoing: &Outgoing) -> Option<Request> {
        let Some(sent) = self.sent else {
            return self.request.take();
        };
        let line = outgoing.copy(sent.start, sent.end)?;
        let id = sent.with_id.then_some(&self.id_text);
        Some(Request::from_bytes(line, id))
    }

    /// Whether all of it has been written and flushed.
    pub(super) fn is_written(&self, outgoing: &Outgoing) -> bool {
        self.sent.is_some_and(|sent| {
            let position = outgoing.position();
            position > sent.end || (position == sent.end && outgoing.is_flushed())
        })
    }

    /// What is being done for one that was sent.
    pub(super) fn stage(&self, outgoing: &Outgoing) -> Stage {
        if self.is_written(outgoing) {
            Stage::Receive
        } else {
            Stage::Send
        }
    }
}

impl Pendings {
    #[inline]
    pub(super) fn push(&mut self, pending: Pending) {
        self.queue.push_back(pending);
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    pub(super) fn is_single(&self) -> bool {
        self.queue.len() == 1
    }

    #[inline]
    pub(super) fn in_flight(&self) -> usize {
        self.in_flight
    }

    #[inline]
    pub(super) fn first(&self) -> Option<&Pending> {
        self.queue.front()
    }

    /// The first of those that wait.
    #[inline]
    pub(super) fn first_waiting(&mut self) -> Option<&mut Pending> {
        self.queue.get_mut(self.in_flight)
    }

    /// The first of those that wait is in flight from here on.
    pub(super) fn sent(&mut self, sent: Sent) {
        if let Some(waiting) = self.first_waiting() {
            waiting.sent = Some(sent);
            self.in_flight += 1;
        }
    }

    pub(super) fn pop_first(&mut self) -> Option<Pending> {
        let pending = self.queue.pop_front()?;
        self.count_out(&pending);
        Some(pending)
    }

    #[inline]
    pub(super) fn pop_last(&mut self) -> Option<Pending> {
        let pending = self.queue.pop_back()?;
        self.count_out(&pending);
        Some(pending)
    }

    pub(super) fn take(&mut self, id: u64) -> Option<Pending> {
        let index = self.queue.iter().position(|pending| pending.id == id)?;
        self.remove(index)
    }

    /// Takes the first that is over.
    pub(super) fn take_over(&mut self, now: Instant) -> Option<Pending> {
        let index = self.queue.iter().position(|pending| pending.end() <= now)?;
        self.remove(index)
    }

    /// Lets those whose grace is over wait until their deadlines.
    pub(super) fn end_graces(&mut self, now: Instant) {
        for pending in self.in_flight_mut() {
            if pending.grace_end.is_some_and(|end| end <= now) {
                pending.grace_end = Some(pending.deadline);
            }
        }
    }

    fn remove(&mut self, index: usize) -> Option<Pending> {
        let pending = self.queue.remove(index)?;
        self.count_out(&pending);
        Some(pending)
    }

    fn count_out(&mut self, pending: &Pending) {
        if pending.sent.is_some() {
            self.in_flight -= 1;
        }
    }

    pub(super) fn find_mut(&mut self, id: u64) -> Option<&mut Pending> {
        self.queue.iter_mut().find(|pending| pending.id == id)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Pending> {
        self.queue.iter()
    }

    pub(super) fn in_flight_mut(&mut self) -> impl Iterator<Item = &mut Pending> {
        self.queue.iter_mut().take(self.in_flight)
    }

    /// What a line may be that answers one of them.
    pub(super) fn limits(&self) -> Option<ReplyLimits> {
        let mut in_flight = self.queue.iter().take(self.in_flight);
        let first = in_flight.next()?.limits;
        if self.in_flight == 1 {
            return Some(first);
        }
        Some(in_flight.fold(first, |all, pending| ReplyLimits {
            bytes: all.bytes.max(pending.limits.bytes),
            ..all
        }))
    }
}

impl InFlight for Pendings {
    fn first(&self) -> Option<u64> {
        let first = self.queue.front().filter(|_| self.in_flight > 0);
        first.map(|pending| pending.id)
    }

    fn contains(&self, id: u64) -> bool {
        let mut in_flight = self.queue.iter().take(self.in_flight);
        in_flight.any(|pending| pending.id == id)
    }
}
