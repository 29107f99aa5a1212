//! A client's connection, which is opened again after it was lost.

use std::sync::Arc;
use std::time::Duration;

use serde::de::DeserializeOwned;
use tokio::time::Instant;

use crate::command::{CommandSpec, NoReply};
use crate::connect::Endpoint;
use crate::deadline::after;
use crate::driver::Driver;
use crate::error::{Error, ErrorKind, Execution, Stage};
use crate::protocol::{Budget, Event, Request, Ticket};
use crate::retry::Repeat;
use crate::state::{ChannelState, Status, cause};
use crate::trace::{self, Span};
use crate::buffers;

/// What is said of a channel whose end nobody has seen in detail.
const CLOSED: &str = "the other side closed the channel";

/// How often a command is sent at most.
const TRIES: u32 = 3;

pub(crate) struct Channel {
    driver: Driver,
    /// None for a stream that was handed to us, which cannot be opened again.
    endpoint: Option<Endpoint>,
    failures: u32,
    pauses: Pauses,
    pause: Option<Pause>,
    state: Arc<Status>,
    /// Why it was lost, where that is known.
    cause: Option<Arc<str>>,
}

/// A command, but for its arguments.
pub(crate) struct Call<'a, R> {
    pub(crate) spec: CommandSpec<'a>,
    pub(crate) budget: Budget,
    pub(crate) repeat: Repeat,
    pub(crate) no_reply: fn(NoReply) -> Option<R>,
}

/// How a command ended that did not fail.
enum Answer {
    Reply(Ticket),
    None(NoReply),
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
        driver: Driver,
        endpoint: Option<Endpoint>,
        pauses: Pauses,
        state: Arc<Status>,
    ) -> Self {
        Self {
            driver,
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
        self.driver.begin();
        self.state.set(ChannelState::Busy);
    }

    /// Says that nobody has it any more.
    pub(crate) fn lay_down(&mut self) {
        self.driver.end();
        let state = if self.driver.session.is_closed() {
            let cause = self.cause.get_or_insert_with(|| CLOSED.into());
            ChannelState::Lost {
                cause: Arc::clone(cause),
            }
        } else {
            ChannelState::Ready
        };
        self.state.set(state);
    }

    /// Opens the channel where that is due, and runs a command; again, where `call` allows it.
    /// To open and to synchronize may take long, so `check` is asked right before each sending.
    pub(crate) async fn exchange<R: DeserializeOwned>(
        &mut self,
        call: &Call<'_, R>,
        encode: impl Fn() -> Result<Request, Error>,
        check: impl Fn() -> Result<(), Error>,
        span: &Span,
    ) -> Result<R, Error> {
        let mut before: Option<Error> = None;
        let mut tries = 1;
        loop {
            let request = match encode() {
                Ok(request) => request,
                Err(error) => return Err(before.unwrap_or(error)),
            };
            let result = match self.once(request, call, &check, span).await {
                Ok(answer) => self.read(answer, call),
                Err(error) => Err(error),
            };
            span.received(self.driver.session.reply_length());
            let error = match (result, before) {
                (Ok(response), _) => return Ok(response),
                (Err(refused), Some(before)) if refused.is_not_allowed() => return Err(before),
                (Err(error), Some(before)) if before.execution() == Execution::MaybeRun => {
                    error.after_maybe_run()
                }
                (Err(error), _) => error,
            };
            self.keep_cause(&error);
            if tries == TRIES || !call.repeat.allows(&error) || !self.is_usable(&call.budget) {
                return Err(error);
            }
            before = Some(error);
            tries += 1;
        }
    }

    fn read<R: DeserializeOwned>(
        &mut self,
        answer: Answer,
        call: &Call<'_, R>,
    ) -> Result<R, Error> {
        match answer {
            Answer::Reply(ticket) => self.driver.session.reply(ticket),
            Answer::None(how) => (call.no_reply)(how).ok_or_else(|| Error::no_response(how)),
        }
    }

    async fn once<R>(
        &mut self,
        request: Request,
        call: &Call<'_, R>,
        check: impl Fn() -> Result<(), Error>,
        span: &Span,
    ) -> Result<Answer, Error> {
        self.begin(&call.budget).await?;
        check()?;
        span.sent(request.length());
        self.driver.session.submit(&call.spec, request, &call.budget);
        match self.driver.event().await {
            Event::Reply(ticket) => Ok(Answer::Reply(ticket)),
            Event::NoReply(_, how) => Ok(Answer::None(how)),
            Event::Failed(_, error) => Err(error),
            Event::Synchronized(_) | Event::Passed => Err(Error::sync(ErrorKind::ReplyLost)),
        }
    }

    /// Makes sure that the next line answers the next request, on a channel that is opened again if
    /// it was lost and can be.
    ///
    /// # Cancel safety
    ///
    /// After the future is dropped, the next call tries again.
    pub(crate) async fn begin(&mut self, budget: &Budget) -> Result<(), Error> {
        self.driver.check_idle().await;
        if self.driver.session.is_closed()
            && let Some(endpoint) = self.endpoint.clone()
        {
            self.reopen(&endpoint, budget).await?;
        }
        let begun = self.driver.synchronize(budget).await;
        begun.inspect_err(|error| self.keep_cause(error))
    }

    /// Keeps why the connection was lost, if it was by this.
    pub(crate) fn keep_cause(&mut self, error: &Error) {
        if self.driver.session.is_closed() && self.cause.is_none() {
            self.cause = Some(cause(error));
        }
    }

    /// Whether there is a channel for another try, and time.
    fn is_usable(&self, budget: &Budget) -> bool {
        let can_open = self.endpoint.is_some() || !self.driver.session.is_closed();
        can_open && Instant::now().into_std() < budget.deadline
    }

    async fn reopen(&mut self, endpoint: &Endpoint, budget: &Budget) -> Result<(), Error> {
        if let Some(Pause { end, cause }) = &self.pause
            && Instant::now() < *end
        {
            let kind = ErrorKind::Unavailable(cause.clone());
            return Err(Error::new(Stage::Connect, Execution::NotRun, kind));
        }
        // An agent that serves one client at a time first has to see the end of the old stream, which
        // may have failed on this side only, as one does whose runtime has ended.
        self.driver = Driver::closed();
        trace::event("the channel was lost; opening it again");
        self.state.set(ChannelState::Connecting);
        match open_and_sync(endpoint, budget).await {
            Ok(driver) => {
                self.driver = driver;
                self.driver.begin();
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

    pub(crate) fn driver(&mut self) -> &mut Driver {
        &mut self.driver
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
    budget: &Budget,
) -> Result<Driver, Error> {
    let mut driver = endpoint.open(budget).await?;
    driver.synchronize(budget).await?;
    Ok(driver)
}

impl Pauses {
    /// Half of it is fixed and half is random, so that many clients of one host do not move in step.
    fn after(self, failures: u32) -> Duration {
        let doublings = failures.saturating_sub(2).min(16);
        let whole = self.first.saturating_mul(1 << doublings);
        let half = whole.min(self.longest) / 2;
        let random = u32::try_from(buffers::random().token() % 1024).unwrap_or_default();
        half + half / 1024 * random
    }
}
