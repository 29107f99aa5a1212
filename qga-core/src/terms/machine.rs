//! What a client heeds of a machine.

use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::options::later;
use crate::error::Power;
use crate::transport::MachineState;

/// What the channel of a client heeds of a machine: that its agent's port was opened.
#[derive(Debug)]
pub(crate) struct Openings(watch::Receiver<MachineState>);

impl Openings {
    pub(crate) fn new(mut machine: watch::Receiver<MachineState>) -> Self {
        machine.mark_unchanged();
        Self(machine)
    }

    /// Whether the port was opened since this was asked last.
    pub(crate) fn has_come(&mut self) -> bool {
        // The receiver itself tells no change any more once the source has ended.
        let state = self.0.borrow_and_update();
        state.has_changed() && state.port_is_open == Some(true)
    }

    /// Waits for the next one; for ever where nobody tells any more.
    pub(crate) async fn next(&mut self) {
        while self.0.changed().await.is_ok() {
            if self.0.borrow_and_update().port_is_open == Some(true) {
                return;
            }
        }
        std::future::pending::<()>().await;
    }
}

/// A machine that does not run, for somebody who waits for its agent.
#[derive(Clone, Debug)]
pub(crate) struct Standstill {
    source: watch::Receiver<MachineState>,
    /// For how long it is borne.
    patience: Duration,
    since: Option<Instant>,
}

impl Standstill {
    pub(crate) fn new(source: watch::Receiver<MachineState>, patience: Duration) -> Self {
        Self {
            source,
            patience,
            since: None,
        }
    }

    /// For a wait that begins now, if somebody tells, and the wait may end before its time.
    pub(crate) fn beginning(
        source: Option<&watch::Receiver<MachineState>>,
        patience: Duration,
        now: Instant,
    ) -> Option<Self> {
        let source = source.filter(|_| patience < Duration::MAX)?;
        let mut standstill = Self::new(source.clone(), patience);
        standstill.is_over(now);
        Some(standstill)
    }

    /// What the machine is, if it has not run for too long, as far as somebody has looked since the wait began.
    pub(crate) fn is_over(&mut self, now: Instant) -> Option<Power> {
        let power = self.source.borrow_and_update().power;
        if !power.is_stopped() {
            self.since = None;
            return None;
        }
        self.since.get_or_insert(now);
        self.end().filter(|end| *end <= now).map(|_| power)
    }

    /// Until when it is borne, if it does not run.
    pub(crate) fn end(&self) -> Option<Instant> {
        self.since.map(|since| later(since, self.patience))
    }

    /// Waits for news; for ever where nobody tells any more.
    pub(crate) async fn news(&mut self) {
        if self.source.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
