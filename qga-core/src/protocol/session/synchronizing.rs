//! The handshake, with its patience and its budget.

use std::time::{Duration, Instant};

use super::{Event, Session, State, Ticket};
use crate::error::{Error, ErrorKind, Stage};
use crate::protocol::frame::Progress;
use crate::protocol::handshake::{Handshake, LIMITS, Step};

/// How long the first sync is waited for before another one is sent; this doubles each time.
const FIRST_PATIENCE: Duration = Duration::from_secs(1);

/// How long at most until another one is sent. An agent that takes longer to answer is never heard.
const LONGEST_PATIENCE: Duration = Duration::from_secs(16);

/// No answer to a sync is longer, in bytes.
const LONGEST_ANSWER: u64 = 512;

/// The 0xFF before the answer to a sync, in bytes, which may come before the rest of it.
const SENTINEL: u64 = 1;

/// A handshake that goes on until it is answered, whoever waits for it: an impatient request that
/// gives up leaves it to the next one.
#[derive(Debug)]
pub(super) struct Synchronizing {
    handshake: Handshake,
    /// A serial port loses what is sent before the guest opens it, so the sync is sent again from time
    /// to time.
    patience: Duration,
    send_again: Option<Instant>,
    passed: Passed,
}

/// What the handshake has passed over.
#[derive(Clone, Copy, Debug)]
struct Passed {
    /// The position from which bytes count.
    start: u64,
    lines: u64,
    /// How many lines do not count: an agent answers each 0xFF by an error.
    strays: u64,
}

impl Session {
    pub(super) fn begin_handshake(&mut self) {
        let handshake = Handshake::new(&mut self.random);
        self.handshakes += 1;
        // The 0xFF ends a request of which a part is written.
        self.outgoing.clear();
        self.outgoing.push(handshake.request());
        self.state = State::Synchronizing(Box::new(Synchronizing {
            handshake,
            patience: FIRST_PATIENCE,
            send_again: None,
            passed: Passed {
                start: self.decoder.position(),
                lines: 0,
                strays: 1,
            },
        }));
    }

    pub(super) fn poll_handshake(&mut self) -> Option<Event> {
        let State::Synchronizing(synchronizing) = &mut self.state else {
            return None;
        };
        let budget = self.pendings.first()?.sync;
        let progress = self.decoder.advance(LIMITS.bytes);
        let passed = &mut synchronizing.passed;
        let step = match progress {
            Progress::Frame => {
                let frame = self.decoder.frame();
                synchronizing.handshake.receive(frame, &mut self.random)
            }
            Progress::TooLong => Step::Wait,
            Progress::Incomplete => {
                let bytes = self.decoder.position().saturating_sub(passed.start);
                let unfinished = self.decoder.unfinished() as u64;
                if bytes > budget.bytes.saturating_add(SENTINEL)
                    || (unfinished > LONGEST_ANSWER && bytes + unfinished > budget.bytes)
                {
                    return self.fail_flooded();
                }
                return None;
            }
        };
        match step {
            Step::Synced(ids) => {
                self.state = State::Synchronized(ids);
                self.is_dirty = false;
                self.is_fresh = true;
                return self.poll_changed();
            }
            Step::Refused(error) => {
                self.state = State::Unsynchronized;
                return self.fail_waiting(ErrorKind::SyncRefused(error));
            }
            Step::Resend => {
                passed.strays += 1;
                passed.start += self.decoder.frame().bytes.len() as u64 + 1;
                let request = synchronizing.handshake.request();
                self.outgoing.push(request);
            }
            Step::Stray if passed.strays > 0 => {
                passed.strays -= 1;
                passed.start += self.decoder.frame().bytes.len() as u64 + 1;
            }
            Step::Stray | Step::Wait => passed.lines += 1,
        }
        let bytes = self.decoder.position().saturating_sub(passed.start);
        if passed.lines > budget.lines || bytes > budget.bytes {
            return self.fail_flooded();
        }
        Some(Event::Passed)
    }

    /// The first request that waits gives up; the next handshake begins anew.
    fn fail_flooded(&mut self) -> Option<Event> {
        let State::Synchronizing(synchronizing) = &self.state else {
            return None;
        };
        let passed = &synchronizing.passed;
        let kind = ErrorKind::TooMuchSkipped {
            bytes: self.decoder.position().saturating_sub(passed.start)
                + self.decoder.unfinished() as u64,
            lines: passed.lines,
        };
        self.state = State::Unsynchronized;
        self.fail_waiting(kind)
    }

    fn fail_waiting(&mut self, kind: ErrorKind) -> Option<Event> {
        let pending = self.pendings.pop_first()?;
        Some(Event::Failed(Ticket(pending.id), Error::sync(kind)))
    }

    /// Sends the sync again where that is due.
    pub(super) fn renew_handshake(&mut self, now: Instant) {
        let State::Synchronizing(synchronizing) = &mut self.state else {
            return;
        };
        if synchronizing.send_again.is_none_or(|due| due > now) {
            return;
        }
        synchronizing.send_again = None;
        synchronizing.patience = LONGEST_PATIENCE.min(synchronizing.patience * 2);
        if self.outgoing.is_flushed() {
            synchronizing.passed.strays += 1;
            synchronizing.handshake.renew(&mut self.random);
            self.outgoing.push(synchronizing.handshake.request());
        }
    }

    /// When the sync is due again.
    pub(super) fn handshake_due(&self) -> Option<Instant> {
        match &self.state {
            State::Synchronizing(synchronizing) => synchronizing.send_again,
            _ => None,
        }
    }

    /// The sync has been sent; its patience begins.
    pub(super) fn begin_patience(&mut self, now: Instant) {
        if let State::Synchronizing(synchronizing) = &mut self.state {
            let due = now.checked_add(synchronizing.patience);
            synchronizing.send_again = due;
        }
    }

    /// What is being done for a request that was not sent.
    pub(super) fn waiting_stage(&self) -> Stage {
        match self.state {
            State::Synchronizing(_) | State::Unsynchronized => Stage::Sync,
            State::Synchronized(_) => Stage::Queue,
            State::Closed(_) => Stage::Send,
        }
    }
}
