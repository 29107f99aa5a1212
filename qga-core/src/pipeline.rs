//! Several commands in flight.

use std::collections::VecDeque;
use std::fmt;
use std::iter::{Fuse, Peekable};
use std::ops::Range;

use tokio::time::Instant;

use crate::connection::Terms;
use crate::error::{ErrorKind, Execution, Stage};
use crate::message::Request;
use crate::state::InUse;
use crate::sync::Ids;
use crate::trace::Span;
use crate::{Client, Error, QgaCommand, Reply};

/// Runs commands of one type with requests written ahead; made by [`Client::pipeline`].
///
/// [`next`](Self::next) returns one result for each command taken from the iterator, in their
/// order. The iterator is asked for a command only when there is room for it in flight, so it
/// may be endless.
///
/// When another task waits for the channel, the pipeline sends nothing more, reads the answers to
/// what is in flight, and queues again behind that task. It does so in the calls of `next`, so go on
/// calling: between two calls with requests in flight it keeps the channel.
///
/// ```no_run
/// # #[derive(qga_core::QgaCommand)]
/// # #[qga(name = "guest-file-read", response = serde_json::Value)]
/// # struct FileRead { handle: i64, count: i64 }
/// # async fn example(client: qga_core::Client) -> Result<(), qga_core::Error> {
/// let reads = (0..100).map(|_| FileRead { handle: 1000, count: 65_536 });
/// let mut chunks = client.pipeline(reads);
/// while let Some(chunk) = chunks.next().await {
///     println!("{}", chunk?);
/// }
/// # Ok(())
/// # }
/// ```
///
/// Commands may run before the results of earlier ones are known, so the iterator should give
/// only what may run whatever came before.
///
/// A task that holds a pipeline and runs another command through the same client waits for
/// itself: drop the pipeline first.
pub struct Pipeline<I: Iterator<Item: QgaCommand>> {
    /// Dropped before the client, whose lock must not end before its channel does.
    channel: Option<(InUse, Ids)>,
    client: Client,
    commands: Peekable<Fuse<I>>,
    capacity: usize,
    slots: VecDeque<Slot<<I::Item as QgaCommand>::Response>>,
    failed: bool,
    /// Of the result that is awaited, however often `next` is called for it.
    deadline: Option<Instant>,
}

enum Slot<R> {
    InFlight {
        id: u64,
        reply_limit: usize,
        span: Span,
    },
    Done(Result<R, Error>),
}

impl<I: Iterator<Item: QgaCommand>> Pipeline<I> {
    pub(crate) fn new(client: Client, commands: I) -> Self {
        const {
            assert!(
                matches!(I::Item::REPLY, Reply::Always),
                "a pipeline needs replies"
            );
        }
        Self {
            client,
            commands: commands.fuse().peekable(),
            capacity: 2,
            channel: None,
            slots: VecDeque::new(),
            failed: false,
            deadline: None,
        }
    }

    /// How many commands may be unanswered at once; 2 unless set, which gives nearly all the
    /// gain. An agent that does not echo ids gets one at a time, since its replies could not be
    /// told apart if one were lost.
    #[must_use]
    pub fn in_flight(mut self, commands: usize) -> Self {
        self.capacity = commands.max(1);
        self
    }

    /// The result of the next command; `None` after the last.
    ///
    /// The client's timeout is for each result: it counts from the first call that asks for it.
    /// After a failure of the channel, or where it could not be had in time, no further command is
    /// taken from the iterator, and those in flight end in [`Abandoned`](ErrorKind::Abandoned).
    ///
    /// # Errors
    ///
    /// As [`Client::execute`], for this command only.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing: call `next` again. Dropping the pipeline is as safe as
    /// dropping the future of one command: commands in flight may have run, and the agent may be
    /// busy with an unread reply until the next command on this client.
    pub async fn next(&mut self) -> Option<Result<<I::Item as QgaCommand>::Response, Error>> {
        let mut terms = Terms::raw(&self.client.options());
        terms.secret = I::Item::SECRET_REPLY;
        terms.wait.deadline = *self.deadline.get_or_insert(terms.wait.deadline);
        let result = self.next_under(&mut terms).await;
        self.deadline = None;
        let is_over = self.slots.is_empty() && (self.failed || self.commands.peek().is_none());
        let is_awaited = in_flight(&self.slots).is_none() && self.client.is_awaited();
        if is_over || is_awaited {
            self.channel = None;
        }
        result.map(|result| result.map_err(|error| self.locate(error)))
    }

    async fn next_under(
        &mut self,
        terms: &mut Terms,
    ) -> Option<Result<<I::Item as QgaCommand>::Response, Error>> {
        loop {
            self.go_on_or_yield();
            match self.slots.front() {
                Some(Slot::InFlight { .. }) => self.receive(terms).await,
                Some(Slot::Done(_)) => break,
                None if self.failed || self.commands.peek().is_none() => return None,
                None => {
                    if let Err(error) = self.acquire(terms).await {
                        self.failed = !error.is_not_allowed();
                        self.commands.next()?;
                        return Some(Err(error));
                    }
                    self.fill();
                }
            }
        }
        match self.slots.pop_front() {
            Some(Slot::Done(result)) => Some(result),
            Some(Slot::InFlight { .. }) | None => None,
        }
    }

    /// Takes the channel for the next command.
    async fn acquire(&mut self, terms: &Terms) -> Result<(), Error> {
        let taken = self.client.acquire(I::Item::NAME, terms).await?;
        self.channel = Some(taken);
        Ok(())
    }

    /// Writes ahead; but when somebody else waits, or commands are held back, no more, and gives the channel
    /// away once nothing is in flight. A turn is at least what [`in_flight`](Self::in_flight) allows.
    fn go_on_or_yield(&mut self) {
        if !self.client.is_awaited() && self.client.allows(I::Item::NAME) {
            self.fill();
        } else if in_flight(&self.slots).is_none() {
            self.channel = None;
        }
    }

    fn fill(&mut self) {
        let Some((channel, ids)) = &mut self.channel else {
            return;
        };
        let connection = channel.connection();
        let capacity = match ids {
            Ids::Echoed => self.capacity,
            Ids::Unknown => 1,
        };
        let may_send = || self.client.allows(I::Item::NAME);
        while !self.failed && self.slots.len() < capacity && may_send() {
            let Some(command) = self.commands.next() else {
                return;
            };
            let request = Request::new(&command).map_err(Error::encode);
            let span = self.client.span(I::Item::NAME);
            self.slots.push_back(match request {
                Ok(request) => {
                    let id = connection.send(request, *ids);
                    span.sent(connection.request_length);
                    Slot::InFlight {
                        id,
                        reply_limit: command.reply_limit().unwrap_or_default(),
                        span,
                    }
                }
                Err(error) => Slot::Done(Err(error)),
            });
        }
    }

    async fn receive(&mut self, terms: &mut Terms) {
        let (Some((channel, ids)), Some(in_flight)) = (&mut self.channel, in_flight(&self.slots))
        else {
            return;
        };
        let connection = channel.connection();
        terms.wait.limit = self.slots.iter().fold(terms.wait.limit, Slot::reply_limit);
        match connection.receive(*ids, &in_flight, terms).await {
            Ok((id, result)) => {
                settle(&mut self.slots, id, result, connection.reply_length());
                if id + 1 == in_flight.end {
                    connection.finish(*ids);
                }
            }
            Err(fault) => {
                self.failed = true;
                let error = connection.failure(fault, terms, Execution::MaybeRun);
                abandon(&mut self.slots, channel.lost_by(error));
            }
        }
    }

    fn locate(&self, error: Error) -> Error {
        let error = self.client.locate(error).with_command(I::Item::NAME);
        error.with_check(I::Item::CHECK)
    }
}

impl<I: Iterator<Item: QgaCommand>> fmt::Debug for Pipeline<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pipeline")
            .field("command", &I::Item::NAME)
            .field("client", &self.client)
            .field("capacity", &self.capacity)
            .finish_non_exhaustive()
    }
}

impl<R> Slot<R> {
    fn reply_limit(limit: usize, slot: &Self) -> usize {
        match slot {
            Self::InFlight { reply_limit, .. } => limit.max(*reply_limit),
            Self::Done(_) => limit,
        }
    }

    fn received(&self, bytes: usize) {
        if let Self::InFlight { span, .. } = self {
            span.received(bytes);
        }
    }

    fn end(&mut self, result: Result<R, Error>) {
        if let Self::InFlight { span, .. } = self {
            span.end(&result);
        }
        *self = Self::Done(result);
    }

    fn id(&self) -> Option<u64> {
        match self {
            Self::InFlight { id, .. } => Some(*id),
            Self::Done(_) => None,
        }
    }
}

/// The ids of the unanswered, which count up.
fn in_flight<R>(slots: &VecDeque<Slot<R>>) -> Option<Range<u64>> {
    let mut ids = slots.iter().filter_map(Slot::id);
    let first = ids.next()?;
    Some(first..ids.last().unwrap_or(first) + 1)
}

/// Stores a result. The agent answers in order, so what it has passed over stays unanswered.
fn settle<R>(slots: &mut VecDeque<Slot<R>>, answered: u64, result: Result<R, Error>, bytes: usize) {
    let mut result = Some(result);
    for slot in slots {
        match slot.id() {
            Some(id) if id < answered => {
                slot.end(Err(maybe_run(ErrorKind::ReplyLost)));
            }
            Some(id) if id == answered => {
                if let Some(result) = result.take() {
                    slot.received(bytes);
                    slot.end(result);
                }
            }
            _ => {}
        }
    }
}

/// Ends the first unanswered with `error`, and the others too.
fn abandon<R>(slots: &mut VecDeque<Slot<R>>, error: Error) {
    let mut error = Some(error);
    for slot in slots.iter_mut().filter(|slot| slot.id().is_some()) {
        let error = error.take();
        slot.end(Err(error.unwrap_or_else(|| maybe_run(ErrorKind::Abandoned))));
    }
}

fn maybe_run(kind: ErrorKind) -> Error {
    Error::new(Stage::Receive, Execution::MaybeRun, kind)
}
