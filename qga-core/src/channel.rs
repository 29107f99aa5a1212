//! A client's connection, which is opened again after it was lost.

use std::sync::Arc;
use std::time::Duration;

use serde::de::DeserializeOwned;
use tokio::time::Instant;

use crate::Connection;
use crate::connect::{AnyConnection, Endpoint};
use crate::connection::Terms;
use crate::deadline::after;
use crate::error::{Error, ErrorKind, Execution, Stage};
use crate::message::Request;
use crate::state::{ChannelState, Status, cause};
use crate::sync::{self, Ids};
use crate::trace::{self, Span};

/// What is said of a channel whose end nobody has seen in detail.
const CLOSED: &str = "the other side closed the channel";

/// How often a command is sent at most.
const TRIES: u32 = 3;

pub(crate) struct Channel {
    connection: AnyConnection,
    /// None for a stream that was handed to us, which cannot be opened again.
    endpoint: Option<Endpoint>,
    failures: u32,
    pauses: Pauses,
    pause: Option<Pause>,
    state: Arc<Status>,
    /// Why it was lost, where that is known.
    cause: Option<Arc<str>>,
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
    cause: Arc<Error>,
}

impl Channel {
    pub(crate) fn new(
        connection: AnyConnection,
        endpoint: Option<Endpoint>,
        pauses: Pauses,
        state: Arc<Status>,
    ) -> Self {
        Self {
            connection,
            endpoint,
            failures: 0,
            pauses,
            pause: None,
            state,
            cause: None,
        }
    }

    /// Says that somebody has it.
    pub(crate) fn take_up(&mut self) {
        self.state.set(ChannelState::Busy);
    }

    /// Says that nobody has it any more.
    pub(crate) fn lay_down(&mut self) {
        let state = if self.connection.is_closed() {
            let cause = self.cause.get_or_insert_with(|| CLOSED.into());
            ChannelState::Lost {
                cause: Arc::clone(cause),
            }
        } else {
            ChannelState::Ready
        };
        self.state.set(state);
    }

    /// Opens the connection where that is due, and runs a command; again, where the terms allow it.
    /// To open and to synchronize may take long, so `check` is asked right before each sending.
    pub(crate) async fn exchange<R: DeserializeOwned>(
        &mut self,
        mut request: Request,
        encode: impl Fn() -> Result<Request, Error>,
        check: impl Fn() -> Result<(), Error>,
        terms: &Terms,
        span: &Span,
    ) -> Result<R, Error> {
        let mut before: Option<Error> = None;
        let mut tries = 1;
        loop {
            let error = match (self.once(request, &check, terms, span).await, before) {
                (Ok(response), _) => return Ok(response),
                (Err(refused), Some(before)) if refused.is_not_allowed() => return Err(before),
                (Err(error), Some(before)) if before.execution() == Execution::MaybeRun => {
                    error.after_maybe_run()
                }
                (Err(error), _) => error,
            };
            if tries == TRIES || !terms.repeat.allows(&error) || !self.is_usable(terms) {
                return Err(error);
            }
            request = match encode() {
                Ok(request) => request,
                Err(_) => return Err(error),
            };
            before = Some(error);
            tries += 1;
        }
    }

    async fn once<R: DeserializeOwned>(
        &mut self,
        request: Request,
        check: impl Fn() -> Result<(), Error>,
        terms: &Terms,
        span: &Span,
    ) -> Result<R, Error> {
        self.begin(terms).await?;
        check()?;
        let connection = &mut self.connection;
        let result = connection.exchange(request, *terms).await;
        span.sent(connection.request_length);
        span.received(connection.reply_length());
        result.inspect_err(|error| self.keep_cause(error))
    }

    /// Makes sure that the next line answers the next request, on a connection that is opened again if
    /// it was lost and can be.
    ///
    /// # Cancel safety
    ///
    /// After the future is dropped, the next call tries again.
    pub(crate) async fn begin(&mut self, terms: &Terms) -> Result<Ids, Error> {
        self.connection.look().await;
        if self.connection.is_closed()
            && let Some(endpoint) = self.endpoint.clone()
        {
            self.reopen(&endpoint, terms).await?;
        }
        let begun = self.connection.begin(terms).await;
        begun.inspect_err(|error| self.keep_cause(error))
    }

    /// Keeps why the connection was lost, if it was by this.
    pub(crate) fn keep_cause(&mut self, error: &Error) {
        if self.connection.is_closed() && self.cause.is_none() {
            self.cause = Some(cause(error));
        }
    }

    /// Whether there is a channel for another try, and time.
    fn is_usable(&self, terms: &Terms) -> bool {
        let can_open = self.endpoint.is_some() || !self.connection.is_closed();
        can_open && Instant::now() < terms.wait.deadline
    }

    async fn reopen(&mut self, endpoint: &Endpoint, terms: &Terms) -> Result<(), Error> {
        if let Some(Pause { end, cause }) = &self.pause
            && Instant::now() < *end
        {
            let kind = ErrorKind::Unavailable(cause.clone());
            return Err(Error::new(Stage::Connect, Execution::NotRun, kind));
        }
        // An agent that serves one client at a time first has to see the end of the old stream, which
        // may have failed on this side only, as one does whose runtime has ended.
        self.connection = Connection::closed(Box::pin(tokio::io::empty()));
        trace::event("the channel was lost; opening it again");
        self.state.set(ChannelState::Connecting);
        match open_and_sync(endpoint, terms).await {
            Ok(connection) => {
                self.connection = connection;
                self.failures = 0;
                self.pause = None;
                self.cause = None;
                self.state.set(ChannelState::Busy);
                trace::event("the channel is open again");
                Ok(())
            }
            Err(error) => Err(self.failed(error)),
        }
    }

    /// The connection as it is.
    pub(crate) fn connection(&mut self) -> &mut AnyConnection {
        &mut self.connection
    }

    /// A first failure is told as it is; from the second on there is a pause.
    fn failed(&mut self, error: Error) -> Error {
        self.failures = self.failures.saturating_add(1);
        self.cause = Some(cause(&error));
        if self.failures < 2 {
            return error;
        }
        let cause = Arc::new(error);
        self.pause = Some(Pause {
            end: after(self.pauses.after(self.failures)),
            cause: cause.clone(),
        });
        let kind = ErrorKind::Unavailable(cause);
        Error::new(Stage::Connect, Execution::NotRun, kind)
    }
}

pub(crate) async fn open_and_sync(
    endpoint: &Endpoint,
    terms: &Terms,
) -> Result<AnyConnection, Error> {
    let mut connection = endpoint.open(terms).await?;
    connection.handshake(terms).await?;
    Ok(connection)
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
