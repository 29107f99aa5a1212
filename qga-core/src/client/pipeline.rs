//! Several commands in flight.

use std::collections::VecDeque;
use std::fmt;
use std::iter::{Fuse, Peekable};

use std::time::{Duration, Instant};

use super::Client;
use super::channel::InUse;
use crate::command::{QgaCommand, Reply};
use crate::error::{Error, ErrorKind, Stage};
use crate::protocol::{Budget, Event, Request, Ticket};
use crate::terms::later;
use crate::terms::trace::Span;

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
    channel: Option<InUse>,
    client: Client,
    commands: Peekable<Fuse<I>>,
    capacity: usize,
    slots: VecDeque<Slot<<I::Item as QgaCommand>::Response>>,
    failed: bool,
    /// Of the result that is awaited, however often `next` is called for it.
    deadline: Option<Instant>,
}

enum Slot<R> {
    InFlight { ticket: Ticket, span: Span },
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
        let mut budget = self.client.budget();
        budget.deadline = *self.deadline.get_or_insert(budget.deadline);
        let result = self.next_under(&budget).await;
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
        budget: &Budget,
    ) -> Option<Result<<I::Item as QgaCommand>::Response, Error>> {
        loop {
            self.go_on_or_yield(budget);
            match self.slots.front() {
                Some(Slot::InFlight { .. }) => self.receive(budget).await,
                Some(Slot::Done(_)) => break,
                None if self.failed || self.commands.peek().is_none() => return None,
                None => {
                    if let Err(error) = self.acquire(budget).await {
                        self.failed = !error.is_not_allowed();
                        self.commands.next()?;
                        return Some(Err(error));
                    }
                    self.fill(budget);
                }
            }
        }
        match self.slots.pop_front() {
            Some(Slot::Done(result)) => Some(result),
            Some(Slot::InFlight { .. }) | None => None,
        }
    }

    /// Takes the channel for the next command.
    async fn acquire(&mut self, budget: &Budget) -> Result<(), Error> {
        self.channel = Some(self.client.acquire(I::Item::NAME, budget).await?);
        Ok(())
    }

    /// Writes ahead; but when somebody else waits, or commands are held back, no more, and gives the channel
    /// away once nothing is in flight. A turn is at least what [`in_flight`](Self::in_flight) allows.
    fn go_on_or_yield(&mut self, budget: &Budget) {
        if !self.client.is_awaited() && self.client.allows(I::Item::NAME) {
            self.fill(budget);
        } else if in_flight(&self.slots).is_none() {
            self.channel = None;
        }
    }

    fn fill(&mut self, budget: &Budget) {
        let Some(channel) = &mut self.channel else {
            return;
        };
        let session = &mut channel.driver().session;
        let capacity = self.capacity.min(session.capacity());
        let may_send = || self.client.allows(I::Item::NAME);
        while !self.failed && self.slots.len() < capacity && may_send() {
            let Some(command) = self.commands.next() else {
                return;
            };
            let span = self.client.span(I::Item::NAME);
            let request = Request::new(I::Item::NAME, command.arguments().as_ref());
            self.slots.push_back(match request {
                Ok(request) => {
                    span.sent(request.length());
                    let ticket = session.submit(&command.spec(), request, &far(budget));
                    Slot::InFlight { ticket, span }
                }
                Err(error) => Slot::Done(Err(Error::encode(error))),
            });
        }
    }

    async fn receive(&mut self, budget: &Budget) {
        let (Some(channel), Some(first)) = (&mut self.channel, in_flight(&self.slots)) else {
            return;
        };
        let driver = channel.driver();
        driver.session.set_deadline(first, budget.deadline);
        let (ticket, result) = match driver.event().await {
            Event::Reply(ticket) => (ticket, driver.session.reply(ticket)),
            Event::Failed(ticket, error) => (ticket, Err(error)),
            Event::NoReply(..) | Event::Synchronized(_) | Event::Passed => return,
        };
        let bytes = driver.session.reply_length();
        let is_over = result.as_ref().is_err_and(ends);
        let result = result.map_err(|error| channel.lost_by(error));
        settle(&mut self.slots, ticket, result, bytes);
        if is_over {
            self.failed = true;
            self.abandon();
        }
    }

    /// Ends all that is in flight after a failure of the channel.
    fn abandon(&mut self) {
        let Some(channel) = &mut self.channel else {
            return;
        };
        let session = &mut channel.driver().session;
        for slot in self.slots.iter_mut().rev() {
            if let Some(ticket) = slot.ticket() {
                let execution = session.cancel(ticket);
                let error = Error::new(Stage::Receive, execution, ErrorKind::Abandoned);
                slot.end(Err(error));
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

    fn ticket(&self) -> Option<Ticket> {
        match self {
            Self::InFlight { ticket, .. } => Some(*ticket),
            Self::Done(_) => None,
        }
    }
}

/// The first of the unanswered.
fn in_flight<R>(slots: &VecDeque<Slot<R>>) -> Option<Ticket> {
    slots.iter().find_map(Slot::ticket)
}

/// Stores a result.
fn settle<R>(
    slots: &mut VecDeque<Slot<R>>,
    ticket: Ticket,
    result: Result<R, Error>,
    bytes: usize,
) {
    let slot = slots.iter_mut().find(|slot| slot.ticket() == Some(ticket));
    if let Some(slot) = slot {
        slot.received(bytes);
        slot.end(result);
    }
}

/// Whether the channel failed, and not the command alone.
fn ends(error: &Error) -> bool {
    !matches!(
        error.kind(),
        ErrorKind::Agent(_) | ErrorKind::Decode(_) | ErrorKind::ReplyLost
    )
}

/// The time of a result counts from when it is asked for.
fn far(budget: &Budget) -> Budget {
    Budget {
        deadline: later(budget.deadline, Duration::MAX),
        ..*budget
    }
}
