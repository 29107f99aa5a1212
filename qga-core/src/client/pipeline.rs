//! Several commands in flight.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;

use super::channel::InUse;
use super::{Client, now};
use crate::command::QgaCommand;
use crate::error::Error;
use crate::protocol::Budget;
use crate::terms::{Ahead, Step};

/// Runs commands of one type with requests written ahead; made by [`Client::pipeline`].
///
/// [`next`](Self::next) returns one result for each command taken from the iterator, in their
/// order. The iterator is asked for a command only when one more may be in flight, so it may be
/// endless. A command whose request is too long to go with the others waits until they are answered.
///
/// When another task waits for the channel, the pipeline sends nothing more, reads the answers to the commands in
/// flight, and queues again behind that task. All this happens within `next`, so keep calling it: between two calls
/// the pipeline keeps the channel while it has commands in flight.
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
    ahead: Ahead<I>,
}

impl<I: Iterator<Item: QgaCommand>> Pipeline<I> {
    pub(crate) fn new(client: Client, commands: I) -> Self {
        Self {
            client,
            ahead: Ahead::new(commands),
            channel: None,
        }
    }

    /// How many commands may be unanswered at once, 1024 at most; 2 unless set, which gives nearly all the
    /// gain. An agent that does not echo ids gets one at a time, since its replies could not be
    /// told apart if one were lost.
    ///
    /// Whatever this says, unanswered requests make at most 4 KiB together, and a longer request goes alone. An agent
    /// behind a virtio or serial port that has read more than that may lose its replies.
    #[must_use]
    pub fn in_flight(mut self, commands: usize) -> Self {
        self.ahead.set_capacity(commands);
        self
    }

    /// The result of the next command; `None` after the last.
    ///
    /// The client's timeout is for each result: it counts from the first call that asks for it.
    /// After a failure of the channel, or where it could not be had in time, no further command is
    /// taken from the iterator, and those in flight end in [`Abandoned`](crate::ErrorKind::Abandoned).
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
        let budget = self.ahead.begin(self.client.budget());
        if let Some(channel) = &mut self.channel {
            // Another task may ask than before.
            channel.driver().forget_waker();
            channel.driver().heed = self.client.heed();
        }
        let result = self.next_under(&budget).await;
        self.ahead.end();
        let is_over = matches!(self.ahead.step(), Step::Over);
        let is_awaited = !self.ahead.has_any_in_flight() && self.client.is_awaited();
        if is_over || is_awaited {
            self.channel = None;
        }
        result.map(|result| result.map_err(|error| self.locate(error)))
    }

    /// The results as a `futures_core::Stream`, for its combinators. While it waits for the next result it keeps its place
    /// among those who wait for the channel, so go on polling it, or drop it.
    ///
    /// ```
    /// # #[derive(Clone, qga_core::QgaCommand)]
    /// # #[qga(name = "guest-sync", response = i64)]
    /// # struct Sync { id: i64 }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), qga_core::Error> {
    /// # let agent = qga_testserver::TestAgent::start().await;
    /// # let client = qga_core::Client::connect(agent.address()).await?;
    /// use futures_util::TryStreamExt;
    ///
    /// let syncs = (1..=3).map(|id| Sync { id });
    /// let answers: Vec<i64> = client.pipeline(syncs).into_stream().try_collect().await?;
    /// assert_eq!(answers, [1, 2, 3]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn into_stream(
        self,
    ) -> impl Stream<Item = Result<<I::Item as QgaCommand>::Response, Error>> + Send
    where
        I: Send + 'static,
        I::Item: Send,
    {
        Results {
            next: Some(Box::pin(self.into_next())),
        }
    }

    async fn into_next(
        mut self,
    ) -> (
        Option<Result<<I::Item as QgaCommand>::Response, Error>>,
        Self,
    ) {
        (self.next().await, self)
    }

    async fn next_under(
        &mut self,
        budget: &Budget,
    ) -> Option<Result<<I::Item as QgaCommand>::Response, Error>> {
        loop {
            self.go_on_or_yield(budget);
            match self.ahead.step() {
                Step::Take => return self.ahead.take(),
                Step::Over => return None,
                Step::Receive(ticket) => {
                    let channel = self.channel.as_mut()?;
                    let driver = channel.driver();
                    let asked = self
                        .ahead
                        .expect(&mut driver.session, ticket, budget, now());
                    let event = driver.event().await;
                    channel.note(&event, asked);
                    let driver = channel.driver();
                    if let Some((ticket, result)) = Ahead::<I>::result(&mut driver.session, event) {
                        let result = result.map_err(|error| channel.lost_by(error));
                        let session = &mut channel.driver().session;
                        self.ahead.settle(session, ticket, result);
                    }
                }
                Step::Acquire => match self.client.acquire(I::Item::NAME, budget).await {
                    Ok(channel) => {
                        self.channel = Some(channel);
                        self.fill(budget);
                    }
                    Err(error) => return self.ahead.refuse(error).map(Err),
                },
            }
        }
    }

    /// Writes ahead; but when somebody else waits, or commands are held back, no more, and gives the channel
    /// away once nothing is in flight. A turn is at least what [`in_flight`](Self::in_flight) allows.
    fn go_on_or_yield(&mut self, budget: &Budget) {
        let may_go_on = !self.client.is_awaited() && self.client.allows(I::Item::NAME);
        if may_go_on && !self.needs_sync() {
            self.fill(budget);
        } else if !self.ahead.has_any_in_flight() {
            self.channel = None;
        }
    }

    /// Whether a handshake is due before the next request, after which another agent may answer.
    fn needs_sync(&mut self) -> bool {
        let Some(channel) = &mut self.channel else {
            return false;
        };
        let session = &channel.driver().session;
        let is_ready = session.is_closed() || (session.is_synchronized() && !session.is_talking());
        !is_ready && !self.ahead.has_any_in_flight()
    }

    fn fill(&mut self, budget: &Budget) {
        if let Some(channel) = &mut self.channel {
            let client = &self.client;
            let (may_send, span) = (
                || client.allows(I::Item::NAME),
                || client.span(I::Item::NAME),
            );
            let session = &mut channel.driver().session;
            self.ahead.fill(session, budget, may_send, span);
        }
    }

    fn locate(&self, error: Error) -> Error {
        let error = self.client.locate(error).with_command(I::Item::NAME);
        error.with_check(I::Item::CHECK)
    }
}

type Next<I> = (
    Option<Result<<<I as Iterator>::Item as QgaCommand>::Response, Error>>,
    Pipeline<I>,
);

/// A pipeline's results, with the future of the next one.
struct Results<I: Iterator<Item: QgaCommand>> {
    next: Option<Pin<Box<dyn Future<Output = Next<I>> + Send>>>,
}

impl<I> Stream for Results<I>
where
    I: Iterator<Item: QgaCommand + Send> + Send + 'static,
{
    type Item = Result<<I::Item as QgaCommand>::Response, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(next) = &mut self.next else {
            return Poll::Ready(None);
        };
        let (result, pipeline) = ready!(next.as_mut().poll(cx));
        self.next = match &result {
            Some(_) => Some(Box::pin(pipeline.into_next())),
            None => None,
        };
        Poll::Ready(result)
    }
}

impl<I: Iterator<Item: QgaCommand>> fmt::Debug for Pipeline<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pipeline")
            .field("command", &I::Item::NAME)
            .field("client", &self.client)
            .field("capacity", &self.ahead.capacity())
            .finish_non_exhaustive()
    }
}
