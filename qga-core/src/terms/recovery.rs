//! How long a channel that was lost is left alone, and how long one that stays silent is borne.

use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use super::options::later;
use crate::error::{Error, ErrorKind};
use crate::protocol::{Budget, Random};

/// How long a silent connection is borne at least, however little time there is for connecting.
const SHORTEST_SILENCE: Duration = Duration::from_secs(1);
/// How long a silent connection is borne at most before another one is opened. An agent that serves one
/// client at a time, and is busy with another, has each connection that was given up in its queue.
const LONGEST_SILENCE: Duration = Duration::from_secs(60);

/// How long those who wait for the channel let it rest at most before they try again.
pub(super) const LONGEST_WAIT: Duration = Duration::from_secs(2);

/// What becomes of a channel that was lost.
///
/// An attempt to bring it back outlives the caller who began it: a stream that is being opened, or a sync
/// that is not answered yet, is left to the next caller. So callers with little time get there together, and
/// their impatience is no failure of the channel.
pub(crate) struct Recovery {
    pub(crate) connect_timeout: Duration,
    pauses: Pauses,
    random: Random,
    is_lost: bool,
    /// Since when a stream is being opened, or a sync is not answered.
    silent_since: Option<Instant>,
    /// How many connections in a row were given up.
    given_up: u32,
    failures: u32,
    pause: Option<Pause>,
}

/// What to do after an attempt that failed.
pub(crate) enum Next {
    /// Try again.
    Again,
    /// Give the silent connection up and try again with another one.
    OpenAnother,
    Fail(Error),
}

/// How long to wait after failures.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pauses {
    /// After the second failure in a row; it doubles with each further one.
    pub(crate) first: Duration,
    pub(crate) longest: Duration,
}

impl Default for Pauses {
    fn default() -> Self {
        Self {
            first: Duration::from_millis(200),
            longest: Duration::from_secs(30),
        }
    }
}

impl From<RangeInclusive<Duration>> for Pauses {
    fn from(pauses: RangeInclusive<Duration>) -> Self {
        let (first, longest) = pauses.into_inner();
        Self { first, longest }
    }
}

/// Until when not to try again, and why.
struct Pause {
    end: Instant,
    /// For those who wait for the channel.
    end_of_waiting: Instant,
    cause: Error,
}

impl Recovery {
    /// For a channel that is not open yet.
    pub(crate) fn new(connect_timeout: Duration, pauses: Pauses, random: Random) -> Self {
        Self {
            connect_timeout,
            pauses,
            random,
            is_lost: true,
            silent_since: None,
            given_up: 0,
            failures: 0,
            pause: None,
        }
    }

    /// Whether the channel was lost, or never opened, and no agent has answered since.
    pub(crate) fn is_lost(&self) -> bool {
        self.is_lost
    }

    /// The channel was found to have ended.
    pub(crate) fn lost(&mut self) {
        self.is_lost = true;
    }

    /// Another connection is about to be opened.
    pub(crate) fn begins_anew(&mut self) {
        self.silent_since = None;
    }

    /// Until when the present attempt may be silent.
    pub(crate) fn silence_end(&mut self, now: Instant) -> Instant {
        let since = *self.silent_since.get_or_insert(now);
        later(since, self.longest_silence())
    }

    /// The agent has answered.
    pub(crate) fn is_back(&mut self) {
        self.is_lost = false;
        self.silent_since = None;
        self.given_up = 0;
        self.failures = 0;
        self.pause = None;
    }

    /// A connection that stays silent is given up.
    fn gave_up(&mut self) {
        self.is_lost = true;
        self.silent_since = None;
        self.given_up = self.given_up.saturating_add(1);
    }

    fn longest_silence(&self) -> Duration {
        let first = self.connect_timeout.saturating_mul(2).max(SHORTEST_SILENCE);
        let doubled = first.saturating_mul(1 << self.given_up.min(16));
        doubled.min(LONGEST_SILENCE.max(first))
    }

    /// The channel may be opened at once: somebody who knows has told.
    pub(crate) fn end_pause(&mut self) {
        self.pause = None;
    }

    /// The error of a caller who has to heed a pause. Who waits for the channel heeds only the beginning of
    /// it, and nothing where there is not so much time.
    pub(crate) fn pause(&self, now: Instant, budget: &Budget, waits: bool) -> Option<Error> {
        let pause = self.pause.as_ref()?;
        let waiting = pause.end_of_waiting;
        let waited = waits && (waiting <= now || budget.deadline <= waiting);
        let is_over = pause.end <= now || waited;
        (!is_over).then(|| pause.cause.again(pause.end.duration_since(now)))
    }

    /// What to do after an attempt to synchronize that failed; `was_open` tells whether its connection was
    /// there before, and `since` when the caller's attempts have begun.
    pub(crate) fn after_failure(
        &mut self,
        error: Error,
        was_open: bool,
        budget: &Budget,
        since: &mut Instant,
        now: Instant,
    ) -> Next {
        let has_time = now < budget.deadline;
        if error.is_timeout() && has_time {
            if !self.is_lost {
                *since = now;
            }
            self.gave_up();
            return Next::OpenAnother;
        }
        if error.is_closed() && was_open && has_time {
            // That the old one has ended does not tell what becomes of another.
            self.is_lost = true;
            return Next::Again;
        }
        Next::Fail(self.failed(error, *since, now))
    }

    /// Counts a failure to bring the channel back, of a caller who has tried since then. From the second on
    /// there is a pause.
    fn failed(&mut self, error: Error, since: Instant, now: Instant) -> Error {
        let counts = match error.kind() {
            ErrorKind::SyncRefused(_) | ErrorKind::MachineStopped(_) => false,
            _ if error.is_timeout() => now.duration_since(since) >= self.connect_timeout,
            _ => true,
        };
        if !self.is_lost || !counts {
            return error;
        }
        self.failures = self.failures.saturating_add(1);
        if self.failures < 2 {
            return error;
        }
        let pause = self.pauses.after(self.failures, &mut self.random);
        self.pause = Some(Pause {
            end: later(now, pause),
            end_of_waiting: later(now, pause.min(LONGEST_WAIT)),
            cause: error.again(pause),
        });
        error.with_retry_after(pause)
    }
}

impl Pauses {
    /// Half of it is fixed and half is random, so that many clients of one host do not move in step.
    fn after(self, failures: u32, random: &mut Random) -> Duration {
        let doublings = failures.saturating_sub(2).min(16);
        let whole = self.first.saturating_mul(1 << doublings);
        let half = whole.min(self.longest) / 2;
        let part = u32::try_from(random.token() % 1024).unwrap_or_default();
        half + half / 1024 * part
    }
}
