//! Bringing a lost channel back.

use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use tokio::runtime::{Handle, Id};
use tokio::time::Instant;

use super::alarm::Alarm;
use super::driver::Driver;
use super::standstill::Heed;
use super::watchers::Watchers;
use crate::error::{Error, ErrorKind, Power};
use crate::protocol::Budget;
use crate::terms::{ChannelState, Next, Openings, Recovery, trace};
use crate::transport::{Address, Carrier, Endpoint, Opening, connect_error};

/// What a client needs to open its channel again, and how far it has come with that.
pub(crate) struct Reconnect {
    endpoint: Endpoint,
    recovery: Recovery,
    opening: Option<(Id, Opening)>,
    openings: Option<Openings>,
}

impl Reconnect {
    /// For a channel that is not open yet.
    pub(crate) fn new(endpoint: Endpoint, recovery: Recovery, openings: Option<Openings>) -> Self {
        Self {
            endpoint,
            recovery,
            opening: None,
            openings,
        }
    }

    pub(crate) fn address(&self) -> Option<&Arc<Address>> {
        self.endpoint.address()
    }

    /// Opens the channel for the first time. The error is of this attempt alone.
    pub(crate) async fn open_and_sync(
        &mut self,
        budget: &Budget,
        mut heed: Heed,
    ) -> Result<Driver, Error> {
        let mut opening = self.endpoint.open();
        let opened = poll_fn(|cx| match opening.as_mut().poll(cx) {
            Poll::Pending => heed.poll(cx).map(Err),
            Poll::Ready(opened) => Poll::Ready(Ok(opened)),
        });
        let mut driver = in_time(&self.endpoint, opened, budget).await?;
        driver.heed = heed;
        let synchronized = driver.synchronize(budget).await;
        driver.end();
        synchronized?;
        self.recovery.is_back();
        Ok(driver)
    }

    /// Lets go of a stream that is being opened.
    pub(crate) fn forget_opening(&mut self) {
        self.opening = None;
    }

    /// Whether the channel was lost, or never opened, and no agent has answered since.
    pub(crate) fn is_lost(&self) -> bool {
        self.recovery.is_lost()
    }

    /// Synchronizes, on a connection that is opened anew if the old one is closed or stays silent.
    ///
    /// # Cancel safety
    ///
    /// After the future is dropped, the next call goes on where this one was.
    pub(crate) async fn ensure_synced(
        &mut self,
        driver: &mut Driver,
        watchers: &Watchers,
        budget: &Budget,
        waits: bool,
    ) -> Result<(), Error> {
        if driver.session.is_closed() {
            self.recovery.lost();
        }
        if self.openings.as_mut().is_some_and(Openings::has_come) {
            self.recovery.end_pause();
        }
        // What the other side says ends a pause.
        if let Some(error) = self.recovery.pause(now(), budget, waits)
            && !driver.is_talking().await
        {
            return Err(error);
        }
        let mut start = now();
        loop {
            let was_open = !driver.session.is_closed();
            let error = match self.attempt(driver, watchers, budget).await {
                Ok(()) => {
                    if self.recovery.is_lost() {
                        trace::event("the channel is open");
                    }
                    self.recovery.is_back();
                    return Ok(());
                }
                Err(error) => error,
            };
            let recovery = &mut self.recovery;
            match recovery.after_failure(error, was_open, budget, &mut start, now()) {
                Next::Again => {}
                Next::OpenAnother => {
                    trace::event("the channel stays silent; giving it up");
                    driver.replace(Driver::closed());
                    self.opening = None;
                }
                Next::Fail(error) => return Err(error),
            }
        }
    }

    /// Tries with one connection, for as long as it may be silent.
    async fn attempt(
        &mut self,
        driver: &mut Driver,
        watchers: &Watchers,
        budget: &Budget,
    ) -> Result<(), Error> {
        // What waits for a timer cannot go on in another runtime.
        let here = Handle::current().id();
        self.opening = self.opening.take().filter(|(runtime, _)| *runtime == here);
        if driver.session.is_closed() && self.opening.is_none() {
            self.recovery.begins_anew();
        }
        let mut end = self.recovery.silence_end(now());
        if end <= now() && driver.is_talking().await {
            end = now() + self.recovery.connect_timeout;
        }
        let budget = Budget {
            deadline: budget.deadline.min(end),
            ..*budget
        };
        if driver.session.is_closed() {
            // An agent that serves one client at a time first has to see the end of the old stream, which
            // may have failed on this side only, as one does whose runtime has ended.
            driver.replace(Driver::closed());
            trace::event("the channel is lost; opening it");
            watchers.tell(|| ChannelState::Connecting);
            let opened = self.open(here, &budget, &mut driver.heed).await?;
            driver.replace(opened);
            watchers.tell(|| ChannelState::Busy);
        }
        driver.synchronize(&budget).await
    }

    async fn open(&mut self, here: Id, budget: &Budget, heed: &mut Heed) -> Result<Driver, Error> {
        let endpoint = &self.endpoint;
        let kept = &mut self.opening;
        kept.get_or_insert_with(|| (here, endpoint.open()));
        let opened = poll_fn(|cx| {
            // It is kept only if it is still to be polled, and not if it has panicked.
            let Some((here, mut opening)) = kept.take() else {
                return Poll::Pending;
            };
            let polled = opening.as_mut().poll(cx);
            if polled.is_pending() {
                *kept = Some((here, opening));
                return heed.poll(cx).map(Err);
            }
            polled.map(Ok)
        });
        in_time(endpoint, opened, budget).await
    }
}

/// What has been opened, if that is in time and the machine runs. If not, it may go on later.
async fn in_time(
    endpoint: &Endpoint,
    opened: impl Future<Output = Result<io::Result<Carrier>, Power>>,
    budget: &Budget,
) -> Result<Driver, Error> {
    let mut alarm = Alarm::opening();
    let mut opened = pin!(opened);
    let opened = poll_fn(|cx| match opened.as_mut().poll(cx) {
        Poll::Pending => alarm.poll(budget.deadline.into(), cx).map(Err),
        Poll::Ready(opened) => Poll::Ready(Ok(opened)),
    });
    match opened.await {
        Ok(Ok(opened)) => Ok(Driver::new(endpoint.opened(opened)?).with_alarm(alarm)),
        Ok(Err(power)) => Err(connect_error(ErrorKind::MachineStopped(power))),
        Err(()) => Err(connect_error(budget.time_is_up())),
    }
}

fn now() -> std::time::Instant {
    Instant::now().into_std()
}
