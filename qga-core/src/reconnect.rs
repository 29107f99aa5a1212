//! How a channel that was lost comes back, and how long one that stays silent is borne.
//!
//! An attempt to bring the channel back outlives the caller who began it: a stream that is being opened, or
//! a sync that is not answered yet, is left to the next caller. So callers with little time get there
//! together, and their impatience is no failure of the channel.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::{Handle, Id};
use tokio::time::Instant;

use crate::Address;
use crate::connect::{AnyConnection, Endpoint, Opening, closed};
use crate::connection::Terms;
use crate::deadline::{after, later};
use crate::error::{Error, ErrorKind};
use crate::state::{ChannelState, Status};
use crate::sync::{self, Ids};
use crate::trace;

/// How long a silent connection is borne at least, however little time there is for connecting.
const SHORTEST_SILENCE: Duration = Duration::from_secs(1);
/// How long a silent connection is borne at most before another one is opened. An agent that serves one
/// client at a time, and is busy with another, has each connection that was given up in its queue.
const LONGEST_SILENCE: Duration = Duration::from_secs(60);

/// How long those who wait for the channel let it rest at most before they try again.
pub(crate) const LONGEST_WAIT: Duration = Duration::from_secs(2);

/// What a client needs to open its channel again, and how far it has come with that.
pub(crate) struct Reconnect {
    endpoint: Endpoint,
    connect_timeout: Duration,
    pauses: Pauses,
    opening: Option<(Id, Opening)>,
    is_lost: bool,
    /// Since when a stream is being opened, or a sync is not answered.
    silent_since: Option<Instant>,
    /// How many connections in a row were given up.
    given_up: u32,
    failures: u32,
    pause: Option<Pause>,
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

/// Until when not to try again, and why.
struct Pause {
    end: Instant,
    /// For those who wait for the channel.
    end_of_waiting: Instant,
    cause: Error,
}

impl Reconnect {
    /// For a channel that is not open yet.
    pub(crate) fn new(endpoint: Endpoint, connect_timeout: Duration, pauses: Pauses) -> Self {
        Self {
            endpoint,
            connect_timeout,
            pauses,
            opening: None,
            is_lost: true,
            silent_since: None,
            given_up: 0,
            failures: 0,
            pause: None,
        }
    }

    pub(crate) fn address(&self) -> Option<&Arc<Address>> {
        self.endpoint.address()
    }

    /// For a channel that an agent has answered on.
    pub(crate) fn opened(self) -> Self {
        Self {
            is_lost: false,
            ..self
        }
    }

    /// Whether the channel was lost, or never opened, and no agent has answered since.
    pub(crate) fn is_lost(&self) -> bool {
        self.is_lost
    }

    /// Synchronizes, on a connection that is opened anew if the old one is closed or stays silent.
    ///
    /// # Cancel safety
    ///
    /// After the future is dropped, the next call goes on where this one was.
    pub(crate) async fn begin(
        &mut self,
        connection: &mut AnyConnection,
        state: &Status,
        terms: &Terms,
    ) -> Result<Ids, Error> {
        self.is_lost |= connection.is_closed();
        self.check_pause(connection, terms).await?;
        let mut start = Instant::now();
        loop {
            let is_old = !connection.is_closed();
            let error = match self.attempt(connection, state, terms).await {
                Ok(ids) => {
                    self.is_back();
                    return Ok(ids);
                }
                Err(error) => error,
            };
            let has_time = Instant::now() < terms.wait.deadline;
            if error.is_timeout() && has_time {
                if !self.is_lost {
                    start = Instant::now();
                }
                self.give_up(connection);
            } else if error.is_closed() && is_old && has_time {
                // That the old one has ended does not tell what becomes of another.
                self.is_lost = true;
            } else {
                return Err(self.failed(error, start));
            }
        }
    }

    /// Tries with one connection, for as long as it may be silent.
    async fn attempt(
        &mut self,
        connection: &mut AnyConnection,
        state: &Status,
        terms: &Terms,
    ) -> Result<Ids, Error> {
        let mut terms = *terms;
        // What waits for a timer cannot go on in another runtime.
        let here = Handle::current().id();
        self.opening = self.opening.take().filter(|(runtime, _)| *runtime == here);
        if connection.is_closed() && self.opening.is_none() {
            self.silent_since = None;
        }
        let now = Instant::now();
        let since = *self.silent_since.get_or_insert(now);
        let mut end = later(since, self.longest_silence());
        if end <= now && connection.is_talking().await {
            end = later(now, self.connect_timeout);
        }
        terms.wait.deadline = terms.wait.deadline.min(end);
        if connection.is_closed() {
            // An agent that serves one client at a time first has to see the end of the old stream, which
            // may have failed on this side only, as one does whose runtime has ended.
            *connection = closed();
            trace::event("the channel is lost; opening it");
            state.set(ChannelState::Connecting);
            *connection = self.open(here, &terms).await?;
            state.set(ChannelState::Busy);
        }
        connection.handshake(&terms).await
    }

    async fn open(&mut self, here: Id, terms: &Terms) -> Result<AnyConnection, Error> {
        let open = || (here, self.endpoint.open());
        let (_, opening) = self.opening.get_or_insert_with(open);
        let opened = self.endpoint.opened(opening, terms).await;
        if !matches!(&opened, Err(error) if error.is_timeout()) {
            self.opening = None;
        }
        opened
    }

    fn is_back(&mut self) {
        if self.is_lost {
            trace::event("the channel is open");
        }
        self.is_lost = false;
        self.silent_since = None;
        self.given_up = 0;
        self.failures = 0;
        self.pause = None;
    }

    fn give_up(&mut self, connection: &mut AnyConnection) {
        trace::event("the channel stays silent; giving it up");
        *connection = closed();
        self.opening = None;
        self.is_lost = true;
        self.silent_since = None;
        self.given_up = self.given_up.saturating_add(1);
    }

    fn longest_silence(&self) -> Duration {
        let first = self.connect_timeout.saturating_mul(2).max(SHORTEST_SILENCE);
        let doubled = first.saturating_mul(1 << self.given_up.min(16));
        doubled.min(LONGEST_SILENCE.max(first))
    }

    /// Whether there is a pause that this caller has to heed. What the other side says ends it. Who waits for
    /// the channel heeds only the beginning of it, and nothing where there is not so much time.
    async fn check_pause(
        &mut self,
        connection: &mut AnyConnection,
        terms: &Terms,
    ) -> Result<(), Error> {
        let Some(pause) = &self.pause else {
            return Ok(());
        };
        let (now, waiting) = (Instant::now(), pause.end_of_waiting);
        let waited = terms.waits && (waiting <= now || terms.wait.deadline <= waiting);
        if pause.end <= now || waited || connection.is_talking().await {
            return Ok(());
        }
        Err(pause.cause.again(pause.end.duration_since(now)))
    }

    /// Counts a failure to bring the channel back, of a caller who has tried since then. From the second on
    /// there is a pause.
    fn failed(&mut self, error: Error, since: Instant) -> Error {
        let counts = match error.kind() {
            ErrorKind::SyncRefused(_) => false,
            _ if error.is_timeout() => since.elapsed() >= self.connect_timeout,
            _ => true,
        };
        if !self.is_lost || !counts {
            return error;
        }
        self.failures = self.failures.saturating_add(1);
        if self.failures < 2 {
            return error;
        }
        let pause = self.pauses.after(self.failures);
        self.pause = Some(Pause {
            end: after(pause),
            end_of_waiting: after(pause.min(LONGEST_WAIT)),
            cause: error.again(pause),
        });
        error.with_retry_after(pause)
    }
}

impl Pauses {
    /// Half of it is fixed and half is random, so that many clients of one host do not move in step.
    fn after(self, failures: u32) -> Duration {
        let doublings = failures.saturating_sub(2).min(16);
        let whole = self.first.saturating_mul(1 << doublings);
        let half = whole.min(self.longest) / 2;
        let random = u32::try_from(sync::random() % 1024).unwrap_or_default();
        half + half / 1024 * random
    }
}

/// Opens a channel for the first time.
pub(crate) async fn open_and_sync(
    endpoint: &Endpoint,
    terms: &Terms,
) -> Result<AnyConnection, Error> {
    let mut connection = endpoint.opened(&mut endpoint.open(), terms).await?;
    connection.handshake(terms).await?;
    Ok(connection)
}
