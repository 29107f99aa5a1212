//! A client's connection, which is opened again after it was lost.

use std::sync::Arc;

use serde::de::DeserializeOwned;
use tokio::time::Instant;

use crate::connect::AnyConnection;
use crate::connection::Terms;
use crate::error::{Error, Execution};
use crate::message::Request;
use crate::reconnect::Reconnect;
use crate::state::{ChannelState, Status, cause};
use crate::sync::Ids;
use crate::trace::Span;

/// What is said of a channel whose end nobody has seen in detail.
const CLOSED: &str = "the other side closed the channel";

/// What is said of a channel that no command has opened yet.
const UNOPENED: &str = "the channel has not been opened yet";

/// How often a command is sent at most.
pub(crate) const TRIES: u32 = 3;

pub(crate) struct Channel {
    connection: AnyConnection,
    /// None for a stream that was handed to us, which cannot be opened again.
    reconnect: Option<Reconnect>,
    state: Arc<Status>,
    /// Why it was lost, where that is known.
    cause: Option<Arc<str>>,
}

impl Channel {
    pub(crate) fn new(connection: AnyConnection, reconnect: Option<Reconnect>) -> Self {
        let cause = connection.is_closed().then(|| Arc::from(UNOPENED));
        let state = cause
            .clone()
            .map_or(ChannelState::Ready, |cause| ChannelState::Lost { cause });
        Self {
            connection,
            reconnect,
            state: Arc::new(Status::new(state)),
            cause,
        }
    }

    pub(crate) fn state(&self) -> Arc<Status> {
        Arc::clone(&self.state)
    }

    /// Says that somebody has it.
    pub(crate) fn take_up(&mut self) {
        self.state.set(ChannelState::Busy);
    }

    /// Says that nobody has it any more.
    pub(crate) fn lay_down(&mut self) {
        let state = if self.is_lost() {
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
    /// To open and to synchronize may take long, so `check` is asked right before each sending. `sent` counts
    /// how often that is.
    pub(crate) async fn exchange<R: DeserializeOwned>(
        &mut self,
        mut request: Request,
        encode: impl Fn() -> Result<Request, Error>,
        check: impl Fn() -> Result<(), Error>,
        sent: &mut u32,
        terms: &Terms,
        span: &Span,
    ) -> Result<R, Error> {
        let mut before: Option<Error> = None;
        let mut tries = 1;
        loop {
            let result = self.once(request, &check, sent, terms, span).await;
            let error = match (result, before) {
                (Ok(response), _) => return Ok(response),
                (Err(refused), Some(before)) if refused.is_not_allowed() => return Err(before),
                (Err(error), Some(before)) if before.execution() == Execution::MaybeRun => {
                    error.after_maybe_run()
                }
                (Err(error), _) => error,
            };
            let is_last = tries == TRIES || *sent >= TRIES;
            if is_last || !terms.repeat.allows(&error) || !self.is_usable(terms) {
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
        sent: &mut u32,
        terms: &Terms,
        span: &Span,
    ) -> Result<R, Error> {
        self.begin(terms).await?;
        check()?;
        *sent += 1;
        let connection = &mut self.connection;
        let result = connection.exchange(request, *terms).await;
        span.sent(connection.request_length);
        span.received(connection.reply_length());
        result.map_err(|error| self.lost_by(error))
    }

    /// Makes sure that the next line answers the next request, on a connection that is opened again if
    /// it was lost and can be.
    ///
    /// # Cancel safety
    ///
    /// After the future is dropped, the next call goes on where this one was.
    pub(crate) async fn begin(&mut self, terms: &Terms) -> Result<Ids, Error> {
        self.connection.look().await;
        if let Some(ids) = self.connection.synced() {
            return Ok(ids);
        }
        let connection = &mut self.connection;
        let begun = match &mut self.reconnect {
            Some(reconnect) => reconnect.begin(connection, &self.state, terms).await,
            None => connection.begin(terms).await,
        };
        match begun {
            Ok(ids) => {
                self.cause = None;
                Ok(ids)
            }
            Err(error) => {
                if self.reconnect.is_some() {
                    self.cause = None;
                }
                Err(self.lost_by(error))
            }
        }
    }

    /// As [`begin`](Self::begin), and asks the agent in any case.
    pub(crate) async fn sync(&mut self, terms: &Terms) -> Result<Ids, Error> {
        self.connection.forget_sync();
        self.begin(terms).await
    }

    /// Keeps why the connection was lost, if it was by this, and says whether it is so for good.
    pub(crate) fn lost_by(&mut self, error: Error) -> Error {
        if self.is_lost() {
            self.cause.get_or_insert_with(|| cause(&error));
        }
        if self.connection.is_closed() && self.reconnect.is_none() {
            return error.permanent();
        }
        error
    }

    /// The connection as it is.
    pub(crate) fn connection(&mut self) -> &mut AnyConnection {
        &mut self.connection
    }

    /// Whether it is closed, or was and no agent has answered since.
    fn is_lost(&self) -> bool {
        let reconnect = self.reconnect.as_ref();
        self.connection.is_closed() || reconnect.is_some_and(Reconnect::is_lost)
    }

    /// Whether there is a channel for another try, and time.
    fn is_usable(&self, terms: &Terms) -> bool {
        let can_open = self.reconnect.is_some() || !self.connection.is_closed();
        can_open && Instant::now() < terms.wait.deadline
    }
}
