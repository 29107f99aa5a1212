//! A client's channel, which is opened again after it was lost.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::task::Context;
use std::time::Instant;

use tokio::sync::OwnedMutexGuard;

use super::driver::Driver;
use super::now;
use super::reconnect::Reconnect;
use super::status::Status;
use crate::error::Error;
use crate::protocol::{Budget, Event, Response};
use crate::terms::trace::{self, Span};
use crate::terms::{Call, ChannelState, Contact, TRIES, following, words_of};

/// What is said of a channel whose end nobody has seen in detail.
const CLOSED: &str = "the other side closed the channel";

/// What is said of a channel that no command has opened yet.
const UNOPENED: &str = "the channel has not been opened yet";

/// What is said of a channel that was closed since it was idle.
const IDLE: &str = "the client closed the channel while nobody used it";

pub(crate) struct Channel {
    driver: Driver,
    /// None for a stream that was handed to us, which cannot be opened again.
    reconnect: Option<Box<Reconnect>>,
    status: Arc<Status>,
    /// When the command was sent that is under way, if anybody looks at the contacts.
    sent: Instant,
    /// Why it was lost, where that is known.
    cause: Option<Arc<str>>,
}

/// A channel in somebody's hands. However it is let go, by the end of a command or by the drop of its
/// future, nothing of that command is left behind.
pub(crate) struct InUse(OwnedMutexGuard<Channel>);

impl Channel {
    pub(crate) fn new(driver: Driver, reconnect: Option<Reconnect>, status: Arc<Status>) -> Self {
        status.carried.set(driver.limits(), driver.machine());
        let is_closed = driver.session.is_closed();
        Self {
            driver,
            reconnect: reconnect.map(Box::new),
            status,
            sent: now(),
            cause: is_closed.then(|| UNOPENED.into()),
        }
    }

    /// What it does while nobody has it.
    pub(crate) fn state(&self) -> ChannelState {
        if !self.is_lost() {
            return ChannelState::Ready;
        }
        let cause = self.cause.clone().unwrap_or_else(|| CLOSED.into());
        ChannelState::Lost { cause }
    }

    /// Closes it, if it can be opened again. Whether it is closed now.
    pub(crate) fn close(&mut self) -> bool {
        if let Some(reconnect) = &mut self.reconnect {
            reconnect.forget_opening();
            if !self.driver.session.is_closed() {
                self.driver.replace(Driver::closed());
                self.status.contacts.end();
                self.cause = Some(IDLE.into());
                trace::event("the channel is closed, as nobody uses it");
            }
        }
        self.driver.session.is_closed()
    }

    /// Looks at the channel, and says whether a request can be sent at once.
    #[inline]
    pub(crate) fn is_ready(&mut self, cx: &mut Context<'_>) -> bool {
        if !self.driver.is_stream() || !self.driver.session.is_synchronized() {
            return false;
        }
        self.driver.check_idle(cx);
        self.driver.session.is_synchronized() && !self.driver.session.is_talking()
    }

    /// Opens the channel where that is due, and runs a command; again, where `call` allows it. To open and to
    /// synchronize may take long, so `check` is asked right before each sending. `sent` counts how often that
    /// is, and `before` is how an earlier try failed.
    pub(crate) async fn exchange(
        &mut self,
        call: &mut Call<'_>,
        check: impl Fn() -> Result<(), Error>,
        sent: &mut u32,
        mut before: Option<Error>,
        span: &Span,
        response: &mut dyn Response,
    ) -> Result<(), Error> {
        let mut tries = u32::from(before.is_some());
        loop {
            if let Some(error) = before.take() {
                let is_last = tries == TRIES || *sent >= TRIES || !call.has_request();
                let may_repeat = call.repeat.allows(&error) && check().is_ok();
                if is_last || !may_repeat || !self.is_usable(&call.budget) {
                    return Err(error);
                }
                before = Some(error);
            }
            tries += 1;
            match self.once(call, &check, sent, span, response).await {
                Ok(()) => return Ok(()),
                Err(error) if error.is_not_allowed() => return Err(following(before, error)),
                Err(error) => before = Some(following(before.take(), error)),
            }
        }
    }

    async fn once(
        &mut self,
        call: &mut Call<'_>,
        check: impl Fn() -> Result<(), Error>,
        sent: &mut u32,
        span: &Span,
        response: &mut dyn Response,
    ) -> Result<(), Error> {
        self.ensure_synced(&call.budget, call.waits).await?;
        check()?;
        *sent += 1;
        self.send(call, span);
        let event = self.driver.event().await;
        self.end(event, call, span, response)
    }

    /// Sends a command, which must not wait for anything.
    #[inline]
    pub(crate) fn send(&mut self, call: &mut Call<'_>, span: &Span) {
        if self.status.contacts.are_watched() {
            self.sent = now();
        }
        call.submit(&mut self.driver.session, now, span);
    }

    /// Takes note of whether another agent may be there, because it was synchronized with anew.
    fn note_handshake(&self, handshakes_before: u64, is_answered: bool) {
        if self.driver.session.handshakes() != handshakes_before
            && self.status.contacts.are_watched()
        {
            self.status.contacts.end();
            if is_answered {
                self.status.contacts.heard(now());
            }
        }
    }

    /// Takes note of whether the agent was heard, once something has become of what was sent then. In which
    /// contact that was, if anybody wants to know.
    #[inline]
    pub(crate) fn note(&self, event: &Event, sent: Instant) -> Option<Contact> {
        if !self.status.contacts.are_watched() {
            return None;
        }
        if event.is_answer() {
            return Some(self.status.contacts.answered(sent, now()));
        }
        if !self.driver.is_stream() {
            // No handshake will show that another agent may be there.
            self.status.contacts.end();
        }
        Some(self.status.contacts.now(now()))
    }

    /// What a command has come to.
    #[inline]
    pub(crate) fn end(
        &mut self,
        event: Event,
        call: &mut Call<'_>,
        span: &Span,
        response: &mut dyn Response,
    ) -> Result<(), Error> {
        call.contact = self.note(&event, self.sent);
        let result = call.result(&mut self.driver.session, event, span, response);
        result.map_err(|error| self.lost_by(error))
    }

    /// Makes sure that an agent answers, on a channel that is opened again if it was lost and can be.
    pub(crate) async fn sync(&mut self, budget: &Budget, waits: bool) -> Result<(), Error> {
        self.driver.session.forget_sync();
        self.ensure_synced(budget, waits).await
    }

    /// Makes sure that the next line answers the next request, on a channel that is opened again if it was
    /// lost and can be.
    ///
    /// # Cancel safety
    ///
    /// After the future is dropped, the next call goes on where this one was.
    pub(crate) async fn ensure_synced(
        &mut self,
        budget: &Budget,
        waits: bool,
    ) -> Result<(), Error> {
        self.driver.is_talking().await;
        if self.driver.session.is_synchronized() && !self.driver.session.is_talking() {
            return Ok(());
        }
        let handshakes = self.driver.session.handshakes();
        if !self.driver.session.is_synchronized() {
            self.status.contacts.end();
        }
        let (driver, watchers) = (&mut self.driver, &self.status.watchers);
        let begun = match &mut self.reconnect {
            Some(reconnect) => {
                reconnect
                    .ensure_synced(driver, watchers, budget, waits)
                    .await
            }
            None => driver.synchronize(budget).await,
        };
        self.note_handshake(handshakes, begun.is_ok());
        if begun.is_ok() || self.reconnect.is_some() {
            self.cause = None;
        }
        if begun.is_ok() {
            self.status
                .carried
                .set(self.driver.limits(), self.driver.machine());
        }
        begun.map_err(|error| self.lost_by(error))
    }

    /// Keeps why the channel was lost, if it was by this, and says whether it is so for good.
    pub(crate) fn lost_by(&mut self, error: Error) -> Error {
        if self.is_lost() {
            self.cause.get_or_insert_with(|| words_of(&error));
        }
        if self.driver.session.is_closed() && self.reconnect.is_none() {
            return error.permanent();
        }
        error
    }

    #[inline]
    pub(crate) fn driver(&mut self) -> &mut Driver {
        &mut self.driver
    }

    /// Whether it is closed, or was and no agent has answered since.
    fn is_lost(&self) -> bool {
        let reconnect = self.reconnect.as_ref();
        self.driver.session.is_closed() || reconnect.is_some_and(|reconnect| reconnect.is_lost())
    }

    /// Whether there is a channel for another try, and time.
    fn is_usable(&self, budget: &Budget) -> bool {
        let can_open = self.reconnect.is_some() || !self.driver.session.is_closed();
        can_open && now() < budget.deadline
    }
}

impl InUse {
    pub(crate) fn new(channel: OwnedMutexGuard<Channel>) -> Self {
        channel.status.watchers.tell(|| ChannelState::Busy);
        Self(channel)
    }
}

impl Drop for InUse {
    fn drop(&mut self) {
        let channel = &mut self.0;
        channel.driver.end();
        channel.status.watchers.tell(|| channel.state());
    }
}

impl Deref for InUse {
    type Target = Channel;

    fn deref(&self) -> &Channel {
        &self.0
    }
}

impl DerefMut for InUse {
    fn deref_mut(&mut self) -> &mut Channel {
        &mut self.0
    }
}
