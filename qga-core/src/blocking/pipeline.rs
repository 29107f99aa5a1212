//! Several commands in flight.

use std::fmt;
use std::time::Instant;

use super::Client;
use super::turns::InUse;
use crate::command::QgaCommand;
use crate::error::Error;
use crate::protocol::Budget;
use crate::terms::{Ahead, Step};

/// Runs commands of one type with requests written ahead; made by [`Client::pipeline`]. It gives one result for each
/// command taken from the iterator, in their order, as [`qga_core::Pipeline`](crate::Pipeline) does.
///
/// While it has requests in flight it keeps the channel: a thread that holds a pipeline and runs another command
/// through the same client waits for itself. Drop the pipeline first.
///
/// ```no_run
/// # #[derive(qga_core::QgaCommand)]
/// # #[qga(name = "guest-file-read", response = serde_json::Value)]
/// # struct FileRead { handle: i64, count: i64 }
/// # fn example(client: qga_core::blocking::Client) -> Result<(), qga_core::Error> {
/// let reads = (0..100).map(|_| FileRead { handle: 1000, count: 65_536 });
/// for chunk in client.pipeline(reads) {
///     println!("{}", chunk?);
/// }
/// # Ok(())
/// # }
/// ```
pub struct Pipeline<'a, I: Iterator<Item: QgaCommand>> {
    client: &'a Client,
    channel: Option<InUse<'a>>,
    ahead: Ahead<I>,
}

impl<'a, I: Iterator<Item: QgaCommand>> Pipeline<'a, I> {
    pub(super) fn new(client: &'a Client, commands: I) -> Self {
        Self {
            client,
            channel: None,
            ahead: Ahead::new(commands),
        }
    }

    /// How many commands may be unanswered at once; see [`in_flight`](crate::Pipeline::in_flight).
    #[must_use]
    pub fn in_flight(mut self, commands: usize) -> Self {
        self.ahead.set_capacity(commands);
        self
    }

    fn next_under(
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
                    let now = Instant::now();
                    self.ahead.expect(&mut driver.session, ticket, budget, now);
                    let event = driver.event();
                    if let Some((ticket, result)) = Ahead::<I>::result(&mut driver.session, event) {
                        let result = result.map_err(|error| channel.lost_by(error));
                        let session = &mut channel.driver().session;
                        self.ahead.settle(session, ticket, result);
                    }
                }
                Step::Acquire => match self.client.acquire(I::Item::NAME, budget) {
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
    /// away once nothing is in flight.
    fn go_on_or_yield(&mut self, budget: &Budget) {
        if !self.client.is_awaited() && self.client.allows(I::Item::NAME) {
            self.fill(budget);
        } else if !self.ahead.has_any_in_flight() {
            self.channel = None;
        }
    }

    fn fill(&mut self, budget: &Budget) {
        if let Some(channel) = &mut self.channel {
            let client = self.client;
            let (may_send, span) = (
                || client.allows(I::Item::NAME),
                || client.span(I::Item::NAME),
            );
            let session = &mut channel.driver().session;
            self.ahead.fill(session, budget, may_send, span);
        }
    }
}

impl<I: Iterator<Item: QgaCommand>> Iterator for Pipeline<'_, I> {
    type Item = Result<<I::Item as QgaCommand>::Response, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let budget = self.ahead.begin(self.client.budget());
        if let Some(channel) = &mut self.channel {
            channel.driver().standstill = self.client.standstill();
        }
        let result = self.next_under(&budget);
        self.ahead.end();
        let is_over = matches!(self.ahead.step(), Step::Over);
        if is_over || (!self.ahead.has_any_in_flight() && self.client.is_awaited()) {
            self.channel = None;
        }
        result.map(|result| {
            result.map_err(|error| {
                let error = self.client.locate(error).with_command(I::Item::NAME);
                error.with_check(I::Item::CHECK)
            })
        })
    }
}

impl<I: Iterator<Item: QgaCommand>> fmt::Debug for Pipeline<'_, I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pipeline")
            .field("command", &I::Item::NAME)
            .field("client", self.client)
            .field("capacity", &self.ahead.capacity())
            .finish_non_exhaustive()
    }
}
