//! Requests that have not ended.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::Budget;
use crate::error::{Execution, Stage};
use crate::protocol::limits::{ReplyLimits, SyncBudget};
use crate::protocol::matching::InFlight;
use crate::protocol::message::Request;
use crate::protocol::outgoing::Outgoing;

/// A request that has not ended.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) id: u64,
    /// Until it is sent.
    pub(super) request: Option<Request>,
    /// Whether it is but the wish that the channel be synchronized.
    pub(super) is_sync: bool,
    pub(super) sent: Option<Sent>,
    pub(super) deadline: Instant,
    pub(super) timeout: Duration,
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
}

/// Requests in the order in which they were submitted: first those in flight, then those that wait.
#[derive(Debug)]
pub(super) struct Pendings(pub(super) VecDeque<Pending>);

impl Pending {
    pub(super) fn new(id: u64, request: Option<Request>, budget: &Budget) -> Self {
        Self {
            id,
            is_sync: request.is_none(),
            request,
            sent: None,
            deadline: budget.deadline,
            timeout: budget.timeout,
            limits: budget.reply,
            sync: budget.sync,
            is_secret: false,
            grace: None,
            grace_end: None,
        }
    }

    /// Whether it is answered only on failure.
    pub(super) fn hopes_for_silence(&self) -> bool {
        self.grace.is_some()
    }

    /// When it ends if nothing comes.
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
    /// How many are in flight.
    pub(super) fn in_flight(&self) -> usize {
        let sent = self.0.iter().take_while(|pending| pending.sent.is_some());
        sent.count()
    }

    pub(super) fn take(&mut self, id: u64) -> Option<Pending> {
        let index = self.0.iter().position(|pending| pending.id == id)?;
        self.0.remove(index)
    }

    pub(super) fn find_mut(&mut self, id: u64) -> Option<&mut Pending> {
        self.0.iter_mut().find(|pending| pending.id == id)
    }

    /// Whether a request with this id is in flight, and is answered on success.
    pub(super) fn awaits_reply(&self, id: u64) -> bool {
        let mut in_flight = self.0.iter().take_while(|pending| pending.sent.is_some());
        in_flight.any(|pending| pending.id == id && !pending.hopes_for_silence())
    }

    /// What a line may be that answers one of them.
    pub(super) fn limits(&self) -> Option<ReplyLimits> {
        let in_flight = self.0.iter().take_while(|pending| pending.sent.is_some());
        in_flight
            .map(|pending| pending.limits)
            .reduce(|all, one| ReplyLimits {
                bytes: all.bytes.max(one.bytes),
                ..all
            })
    }
}

impl InFlight for Pendings {
    fn first(&self) -> Option<u64> {
        let first = self.0.front().filter(|pending| pending.sent.is_some());
        first.map(|pending| pending.id)
    }

    fn contains(&self, id: u64) -> bool {
        let mut in_flight = self.0.iter().take_while(|pending| pending.sent.is_some());
        in_flight.any(|pending| pending.id == id)
    }
}
