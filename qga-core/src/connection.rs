//! One exchange at a time over a stream of bytes.

use std::io;
use std::ops::Range;
use std::time::Duration;

use serde::de::{DeserializeOwned, IgnoredAny};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

use crate::deadline::after;
use crate::decode::decode;
use crate::error::{AgentError, Error, ErrorKind, Execution, Malformed, Stage};
use crate::excerpt::shortened;
use crate::lines::{self, Idle, Lines, Wait};
use crate::matching::{Match, attribute};
use crate::message::{Request, parse_expected};
use crate::options::{Shape, Skip};
use crate::sync::{self, Handshake, Ids, Step};
use crate::trace;
use crate::{Options, QgaCommand, Reply, Retry};

/// How much of a malformed line an error keeps, in bytes.
const LINE_EXCERPT: usize = 4096;

/// How long at most until a sync is sent again. An agent that takes longer to answer is never heard.
const LONGEST_PATIENCE: Duration = Duration::from_secs(16);

/// What an error shows instead of a secret.
const WITHHELD: &str = "(withheld: the command deals in secrets)";

/// A channel to an agent, for one task.
///
/// It starts unsynchronized, and becomes so again whenever an exchange does not come to its end:
/// after a failure of the channel, and when a future is dropped. The next command synchronizes
/// first. [`Client`](crate::Client) shares a connection among tasks.
#[derive(Debug)]
pub struct Connection<T> {
    lines: Lines<T>,
    state: State,
    /// A synchronization that is under way, or was left to whoever comes next.
    syncing: Option<Syncing>,
    next_id: u64,
    /// Of the request that was sent last, in bytes.
    pub(crate) request_length: usize,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// The next line may be anything.
    Dirty,
    /// The next line answers the next request.
    Synced(Ids),
    /// With an error where it did not end as it should.
    Closed(Option<io::ErrorKind>),
}

/// A synchronization, and when it is begun again.
#[derive(Debug)]
struct Syncing {
    handshake: Handshake,
    patience: Duration,
    resend_at: Instant,
}

/// The conditions under which a command runs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    /// How long the command may take in all.
    timeout: Duration,
    /// When all commands of the handle have to end, where that is set.
    deadline: Option<Instant>,
    /// Whether the reply is kept out of errors.
    pub(crate) secret: bool,
    pub(crate) repeat: Repeat,
    /// Whether it waits for a channel that was lost.
    pub(crate) waits: bool,
    pub(crate) wait: Wait,
    pub(crate) shape: Shape,
    pub(crate) skip: Skip,
}

/// When a command is sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Repeat {
    Never,
    /// Where nothing of it was sent.
    Unsent,
    /// After any failure of the channel.
    Lost,
}

/// Why a request has no answer.
#[derive(Debug)]
pub(crate) enum Fault {
    Line(lines::Fault),
    Malformed(Malformed, String),
    Unattributed(AgentError),
}

impl Terms {
    pub(crate) fn new<C: QgaCommand>(command: &C, options: &Options) -> Self {
        let mut terms = Self::raw(options);
        terms.secret = C::SECRET_REPLY;
        terms.repeat = Repeat::of(C::RETRY, options.retry);
        if let Some(limit) = command.reply_limit() {
            terms.wait.limit = terms.wait.limit.max(limit);
        }
        if C::REPLY == Reply::OnErrorOnly {
            terms.wait.grace = Some(options.grace);
        }
        terms
    }

    pub(crate) fn raw(options: &Options) -> Self {
        let end = after(options.timeout);
        let cut = options.deadline.filter(|deadline| *deadline <= end);
        let left = cut.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        Self {
            timeout: left.unwrap_or(options.timeout),
            deadline: options.deadline,
            secret: false,
            repeat: Repeat::of(Retry::Never, options.retry),
            waits: options.wait_for_channel,
            shape: options.shape,
            skip: options.skip,
            wait: Wait {
                deadline: cut.unwrap_or(end),
                limit: options.reply_limit,
                allowance: u64::MAX,
                grace: None,
                in_grace: false,
            },
        }
    }

    /// Nothing is begun once the handle's deadline has passed.
    pub(crate) fn check_deadline(&self) -> Result<(), Error> {
        match self.deadline {
            Some(deadline) if deadline <= Instant::now() => {
                let kind = ErrorKind::Deadline(Duration::ZERO);
                Err(Error::new(Stage::Queue, Execution::NotRun, kind))
            }
            _ => Ok(()),
        }
    }

    /// What it is that the time is up.
    pub(crate) fn time_is_up(&self) -> ErrorKind {
        if self.deadline.is_some_and(|end| end <= self.wait.deadline) {
            ErrorKind::Deadline(self.timeout)
        } else {
            ErrorKind::Timeout(self.timeout)
        }
    }
}

impl Repeat {
    fn of(class: Retry, most_daring: Retry) -> Self {
        match (class, most_daring) {
            (_, Retry::Never) => Self::Never,
            (Retry::Safe, _) | (Retry::AfterResync, Retry::AfterResync) => Self::Lost,
            (Retry::Never | Retry::AfterResync, _) => Self::Unsent,
        }
    }

    /// Whether a command that failed so is sent again.
    pub(crate) fn allows(self, error: &Error) -> bool {
        let unsent = error.execution() == Execution::NotRun;
        match error.kind() {
            ErrorKind::Closed(_) => self == Self::Lost || (self == Self::Unsent && unsent),
            ErrorKind::Malformed { reason, .. } => self == Self::Lost && reason.is_damage(),
            ErrorKind::Unattributed(_) => self == Self::Lost,
            _ => false,
        }
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> Connection<T> {
    /// A connection over a stream. Nothing is sent yet.
    pub fn new(stream: T) -> Self {
        Self {
            lines: Lines::new(stream),
            state: State::Dirty,
            syncing: None,
            next_id: sync::random(),
            request_length: 0,
        }
    }

    /// A connection that has ended.
    pub(crate) fn closed(stream: T) -> Self {
        Self {
            state: State::Closed(None),
            ..Self::new(stream)
        }
    }

    /// Waits until the agent has answered a sync, whatever the channel holds from earlier.
    ///
    /// # Errors
    ///
    /// When the agent does not answer in time or refuses, and when the channel closes.
    ///
    /// # Cancel safety
    ///
    /// After the future is dropped, the next call synchronizes.
    pub async fn sync(&mut self, options: &Options) -> Result<(), Error> {
        self.handshake(&Terms::raw(options)).await.map(drop)
    }

    /// Runs a command, after a sync where one is due. It is sent once, whatever the options say.
    ///
    /// # Errors
    ///
    /// When the agent answers with an error, and when it does not answer as it should; see
    /// [`Error`].
    ///
    /// # Cancel safety
    ///
    /// After the future is dropped, the next call synchronizes. The dropped command may have run.
    pub async fn execute<C: QgaCommand>(
        &mut self,
        command: C,
        options: &Options,
    ) -> Result<C::Response, Error> {
        let terms = Terms::new(&command, options);
        let request = Request::new(&command).map_err(Error::encode);
        let result = match request {
            Ok(request) => match terms.check_deadline() {
                Ok(()) => {
                    self.look().await;
                    self.exchange(request, terms).await
                }
                Err(error) => Err(error),
            },
            Err(error) => Err(error),
        };
        result.map_err(|error| error.with_command(C::NAME).with_check(C::CHECK))
    }

    /// Sends a request and waits for its reply, or for the silence that it hopes for.
    pub(crate) async fn exchange<R: DeserializeOwned>(
        &mut self,
        request: Request,
        mut terms: Terms,
    ) -> Result<R, Error> {
        let hopes_for_silence = terms.wait.grace.is_some();
        let ids = self.begin(&terms).await?;
        let id = self.send(request, ids);
        let in_flight = id..id + 1;
        if hopes_for_silence {
            let received = self.receive(ids, &in_flight, &mut terms).await;
            return match received {
                Ok((_, result)) => {
                    self.finish(ids);
                    result.and_then(|IgnoredAny| decode("\"replied\"", terms.secret))
                }
                Err(fault) => self.silence(fault, &terms),
            };
        }
        match self.receive(ids, &in_flight, &mut terms).await {
            Ok((_, result)) => {
                self.finish(ids);
                result
            }
            Err(fault) => Err(self.lonely_failure(fault, &terms)),
        }
    }

    /// What a fault means to a command that is answered only on failure. Who resets the channel may not have
    /// read the request, and who has begun to answer tells of a failure.
    fn silence<R: DeserializeOwned>(&mut self, fault: Fault, terms: &Terms) -> Result<R, Error> {
        let (silence, success) = match fault {
            Fault::Line(lines::Fault::Timeout) => ("\"silent\"", terms.wait.in_grace),
            Fault::Line(lines::Fault::Closed(None)) => ("\"closed\"", self.lines.is_flushed()),
            fault => return Err(self.lonely_failure(fault, terms)),
        };
        let is_unanswered = self.lines.is_between_lines();
        let error = self.lonely_failure(fault, terms);
        if success && is_unanswered {
            decode(silence, terms.secret)
        } else {
            Err(error)
        }
    }

    /// A fault of the only command in flight, which has not run if none of it was written.
    fn lonely_failure(&mut self, fault: Fault, terms: &Terms) -> Error {
        let execution = if self.lines.is_untouched() {
            Execution::NotRun
        } else {
            Execution::MaybeRun
        };
        self.failure(fault, terms, execution)
    }

    /// Looks at the channel before it is used again. An agent that nobody has asked says nothing:
    /// if it did, the next line may be anything.
    pub(crate) async fn look(&mut self) {
        if let State::Synced(_) = self.state {
            self.is_talking().await;
        }
    }

    /// Looks at the channel, and says whether it holds what was not read yet.
    pub(crate) async fn is_talking(&mut self) -> bool {
        if self.is_closed() {
            return false;
        }
        match self.lines.idle().await {
            Idle::Quiet => false,
            Idle::Talking => {
                self.state = State::Dirty;
                true
            }
            Idle::Ended(error) => {
                self.state = State::Closed(error.map(|error| error.kind()));
                false
            }
        }
    }

    /// The length of the line that was read last, in bytes.
    pub(crate) fn reply_length(&self) -> usize {
        self.lines.frame().bytes.len()
    }

    pub(crate) fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed(_))
    }

    /// What the agent does with ids, if the next line answers the next request.
    pub(crate) fn synced(&self) -> Option<Ids> {
        match self.state {
            State::Synced(ids) => Some(ids),
            State::Dirty | State::Closed(_) => None,
        }
    }

    /// The next command synchronizes first.
    pub(crate) fn forget_sync(&mut self) {
        if let State::Synced(_) = self.state {
            self.state = State::Dirty;
        }
    }

    /// Makes sure that the next line answers the next request.
    pub(crate) async fn begin(&mut self, terms: &Terms) -> Result<Ids, Error> {
        match self.state {
            State::Synced(ids) => Ok(ids),
            State::Dirty => self.handshake(terms).await,
            State::Closed(cause) => Err(Error::new(
                Stage::Send,
                Execution::NotRun,
                ErrorKind::Closed(cause.map(io::Error::from)),
            )),
        }
    }

    /// Says that every request has been answered.
    pub(crate) fn finish(&mut self, ids: Ids) {
        self.state = State::Synced(ids);
    }

    /// Puts a request behind those that are still to be written; the ids count up. Until
    /// [`finish`](Self::finish) the connection counts as unsynchronized, so that a dropped
    /// future leaves it so.
    pub(crate) fn send(&mut self, request: Request, ids: Ids) -> u64 {
        self.state = State::Dirty;
        let id = self.next_id;
        self.next_id += 1;
        let on_the_wire = (ids == Ids::Echoed).then_some(id);
        let line = request.into_line(on_the_wire);
        self.request_length = line.len();
        self.lines.push(line);
        id
    }

    /// Writes what is left to write and reads until one of the requests in flight is answered.
    ///
    /// # Cancel safety
    ///
    /// May be called again after the future was dropped.
    pub(crate) async fn receive<R: DeserializeOwned>(
        &mut self,
        ids: Ids,
        in_flight: &Range<u64>,
        terms: &mut Terms,
    ) -> Result<(u64, Result<R, Error>), Fault> {
        loop {
            self.lines
                .next(&mut terms.wait)
                .await
                .map_err(Fault::Line)?;
            let frame = self.lines.frame();
            if ids == Ids::Echoed
                && let Some((id, value)) = parse_expected(frame.bytes, terms.shape)
                && in_flight.contains(&id)
            {
                return Ok((id, Ok(value)));
            }
            match attribute(frame, ids, in_flight, terms.shape) {
                Match::Answer(id, Ok(value)) => return Ok((id, decode(value.get(), terms.secret))),
                Match::Answer(id, Err(error)) => return Ok((id, Err(Error::agent(error)))),
                Match::Stale if Instant::now() < terms.wait.deadline => {}
                Match::Stale => return Err(lines::Fault::Timeout.into()),
                Match::Unattributed(mut error) => {
                    // A parse error quotes the token that the agent stumbled over.
                    if terms.secret {
                        WITHHELD.clone_into(&mut error.desc);
                        "GenericError".clone_into(&mut error.class);
                    }
                    return Err(Fault::Unattributed(error));
                }
                Match::Malformed(reason) => {
                    let line = match frame.bytes {
                        _ if terms.secret => WITHHELD.to_owned(),
                        bytes => shortened(bytes, LINE_EXCERPT),
                    };
                    return Err(Fault::Malformed(reason, line));
                }
            }
        }
    }

    /// Turns a fault into an error of the command that is being sent or awaited.
    pub(crate) fn failure(&mut self, fault: Fault, terms: &Terms, execution: Execution) -> Error {
        let stage = match fault {
            Fault::Malformed(..) => Stage::Decode,
            _ if self.lines.is_flushed() => Stage::Receive,
            _ => Stage::Send,
        };
        if let Fault::Line(lines::Fault::Closed(cause)) = &fault {
            self.state = State::Closed(cause.as_ref().map(io::Error::kind));
        }
        Error::new(stage, execution, fault.into_kind(terms))
    }

    pub(crate) async fn handshake(&mut self, terms: &Terms) -> Result<Ids, Error> {
        if let State::Closed(cause) = self.state {
            return Err(Error::sync(ErrorKind::Closed(cause.map(io::Error::from))));
        }
        self.state = State::Dirty;
        // One that somebody has left is gone on with: its answer may be on the way.
        let syncing = self.syncing.get_or_insert_with(|| {
            trace::event("synchronizing");
            let syncing = Syncing::new();
            self.lines.clear();
            self.lines.push(syncing.handshake.request());
            syncing
        });
        let mut wait = Wait {
            deadline: terms.wait.deadline.min(syncing.resend_at),
            limit: sync::LINE_LIMIT,
            allowance: terms.skip.bytes,
            grace: None,
            in_grace: false,
        };
        let mut lines_left = terms.skip.lines;
        loop {
            let step = match self.lines.next(&mut wait).await {
                Ok(()) => syncing.handshake.receive(self.lines.frame()),
                Err(lines::Fault::Flooded) => return Err(too_much_skipped(terms, lines_left, 0)),
                Err(lines::Fault::TooLong(_) | lines::Fault::Timeout) => Step::Wait,
                Err(closed) => return Err(self.sync_failure(closed.into(), terms)),
            };
            match step {
                Step::Wait if Instant::now() < wait.deadline && lines_left == 0 => {
                    return Err(too_much_skipped(terms, 0, wait.allowance));
                }
                Step::Synced(ids) => {
                    self.syncing = None;
                    self.state = State::Synced(ids);
                    trace::event("synchronized");
                    return Ok(ids);
                }
                Step::Refused(error) => {
                    self.syncing = None;
                    return Err(Error::sync(ErrorKind::SyncRefused(error)));
                }
                Step::Resend => self.lines.push(syncing.handshake.request()),
                Step::Wait if Instant::now() < wait.deadline => lines_left -= 1,
                Step::Wait if wait.deadline >= terms.wait.deadline => {
                    return Err(self.sync_failure(lines::Fault::Timeout.into(), terms));
                }
                Step::Wait => {
                    if syncing.again(self.lines.is_flushed()) {
                        self.lines.push(syncing.handshake.request());
                    }
                    wait.deadline = terms.wait.deadline.min(syncing.resend_at);
                }
            }
        }
    }

    fn sync_failure(&mut self, fault: Fault, terms: &Terms) -> Error {
        if let Fault::Line(lines::Fault::Closed(cause)) = &fault {
            self.state = State::Closed(cause.as_ref().map(io::Error::kind));
        }
        Error::sync(fault.into_kind(terms))
    }
}

impl Syncing {
    fn new() -> Self {
        let patience = Duration::from_secs(1);
        Self {
            handshake: Handshake::new(),
            patience,
            resend_at: after(patience),
        }
    }

    /// A serial port loses what is sent before the guest opens it, so ask again from time to time. Whether to
    /// send anew: not while the last request is still to be written.
    fn again(&mut self, is_flushed: bool) -> bool {
        self.patience = LONGEST_PATIENCE.min(self.patience * 2);
        self.resend_at = after(self.patience);
        if is_flushed {
            self.handshake.renew();
        }
        is_flushed
    }
}

/// A sync that has passed over all it may, with this many lines left and these bytes.
fn too_much_skipped(terms: &Terms, lines_left: u64, bytes_left: u64) -> Error {
    Error::sync(ErrorKind::TooMuchSkipped {
        bytes: terms.skip.bytes - bytes_left,
        lines: terms.skip.lines - lines_left,
    })
}

impl Fault {
    fn into_kind(self, terms: &Terms) -> ErrorKind {
        match self {
            Self::Line(lines::Fault::Timeout) => terms.time_is_up(),
            Self::Line(lines::Fault::Closed(error)) => ErrorKind::Closed(error),
            // Only a sync has an allowance, and it says itself what it has passed over.
            Self::Line(lines::Fault::Flooded) => ErrorKind::ReplyTooLong(usize::MAX),
            Self::Line(lines::Fault::TooLong(limit)) => ErrorKind::ReplyTooLong(limit),
            Self::Malformed(reason, line) => ErrorKind::Malformed { reason, line },
            Self::Unattributed(error) => ErrorKind::Unattributed(error),
        }
    }
}

impl From<lines::Fault> for Fault {
    fn from(fault: lines::Fault) -> Self {
        Self::Line(fault)
    }
}
