//! A channel that is opened again after it was lost.

use std::time::Instant;

use super::driver::Driver;
use crate::error::Error;
use crate::protocol::{Budget, Response};
use crate::terms::trace::{self, Span};
use crate::terms::{Call, Next, Recovery, Standstill, TRIES, following};
use crate::transport::BlockingEndpoint;

pub(super) struct Channel {
    driver: Driver,
    /// None for a stream that was handed to us, which cannot be opened again.
    reconnect: Option<Box<Reconnect>>,
}

/// What a client needs to open its channel again, and how far it has come with that.
pub(super) struct Reconnect {
    pub(super) endpoint: BlockingEndpoint,
    pub(super) recovery: Recovery,
}

impl Channel {
    pub(super) fn new(driver: Driver, reconnect: Option<Reconnect>) -> Self {
        let reconnect = reconnect.map(Box::new);
        Self { driver, reconnect }
    }

    pub(super) fn driver(&mut self) -> &mut Driver {
        &mut self.driver
    }

    /// Closes it, if it can be opened again. Whether it is closed now.
    pub(super) fn close(&mut self) -> bool {
        if self.reconnect.is_some() && !self.driver.session.is_closed() {
            self.driver.replace(Driver::closed());
            trace::event("the channel is closed, as nobody uses it");
        }
        self.driver.session.is_closed()
    }

    /// Opens the channel where that is due, and runs a command; again, where `call` allows it. `check` is asked
    /// right before each sending, and `sent` counts how often that is.
    #[inline]
    pub(super) fn exchange(
        &mut self,
        call: &mut Call<'_>,
        check: impl Fn() -> Result<(), Error>,
        sent: &mut u32,
        span: &Span,
        response: &mut dyn Response,
    ) -> Result<(), Error> {
        let mut before = None;
        let mut tries = 0;
        loop {
            let error = match self.once(call, &check, sent, span, response) {
                Ok(()) => return Ok(()),
                Err(error) => following(before, error),
            };
            tries += 1;
            let is_last = tries == TRIES || *sent >= TRIES || !call.has_request();
            let may_repeat = call.repeat.allows(&error) && check().is_ok();
            if is_last || !may_repeat || !self.is_usable(&call.budget) {
                return Err(error);
            }
            before = Some(error);
        }
    }

    fn once(
        &mut self,
        call: &mut Call<'_>,
        check: impl Fn() -> Result<(), Error>,
        sent: &mut u32,
        span: &Span,
        response: &mut dyn Response,
    ) -> Result<(), Error> {
        self.ensure_synced(&call.budget, call.waits)?;
        check()?;
        *sent += 1;
        call.submit(&mut self.driver.session, Instant::now, span);
        let event = self.driver.event();
        let result = call.result(&mut self.driver.session, event, span, response);
        result.map_err(|error| self.lost_by(error))
    }

    /// Makes sure that an agent answers, on a channel that is opened again if it was lost and can be.
    pub(super) fn sync(&mut self, budget: &Budget, waits: bool) -> Result<(), Error> {
        self.driver.session.forget_sync();
        self.ensure_synced(budget, waits)
    }

    /// Makes sure that the next line answers the next request, on a channel that is opened again if it was
    /// lost and can be.
    pub(super) fn ensure_synced(&mut self, budget: &Budget, waits: bool) -> Result<(), Error> {
        let is_talking = self.driver.is_talking(budget.start());
        if self.driver.session.is_synchronized() && !is_talking {
            return Ok(());
        }
        let synced = match &mut self.reconnect {
            Some(reconnect) => reconnect.ensure_synced(&mut self.driver, budget, waits),
            None => self.driver.synchronize(budget),
        };
        synced.map_err(|error| self.lost_by(error))
    }

    /// Says of an error whether the channel is lost for good.
    pub(super) fn lost_by(&self, error: Error) -> Error {
        if self.driver.session.is_closed() && self.reconnect.is_none() {
            return error.permanent();
        }
        error
    }

    /// Whether there is a channel for another try, and time.
    fn is_usable(&self, budget: &Budget) -> bool {
        let can_open = self.reconnect.is_some() || !self.driver.session.is_closed();
        can_open && Instant::now() < budget.deadline
    }
}

impl Reconnect {
    /// Opens the channel for the first time. The error is of this attempt alone.
    pub(super) fn open_and_sync(
        &mut self,
        budget: &Budget,
        standstill: Option<Standstill>,
    ) -> Result<Driver, Error> {
        let mut driver = Driver::new(self.endpoint.open(budget)?);
        driver.standstill = standstill;
        driver.begin();
        let synchronized = driver.synchronize(budget);
        driver.end();
        synchronized?;
        self.recovery.is_back();
        Ok(driver)
    }

    /// Synchronizes, on a connection that is opened anew if the old one is closed or stays silent.
    fn ensure_synced(
        &mut self,
        driver: &mut Driver,
        budget: &Budget,
        waits: bool,
    ) -> Result<(), Error> {
        if driver.session.is_closed() {
            self.recovery.lost();
        }
        // What the other side says ends a pause.
        if let Some(error) = self.recovery.pause(Instant::now(), budget, waits)
            && !driver.is_talking(Instant::now())
        {
            return Err(error);
        }
        let mut start = Instant::now();
        loop {
            let was_open = !driver.session.is_closed();
            let error = match self.attempt(driver, budget) {
                Ok(()) => {
                    self.recovery.is_back();
                    return Ok(());
                }
                Err(error) => error,
            };
            let (recovery, now) = (&mut self.recovery, Instant::now());
            match recovery.after_failure(error, was_open, budget, &mut start, now) {
                Next::Again => {}
                Next::OpenAnother => {
                    trace::event("the channel stays silent; giving it up");
                    driver.replace(Driver::closed());
                }
                Next::Fail(error) => return Err(error),
            }
        }
    }

    /// Tries with one connection, for as long as it may be silent.
    fn attempt(&mut self, driver: &mut Driver, budget: &Budget) -> Result<(), Error> {
        let now = Instant::now();
        if driver.session.is_closed() {
            self.recovery.begins_anew();
        }
        let mut end = self.recovery.silence_end(now);
        if end <= now && driver.is_talking(now) {
            end = now + self.recovery.connect_timeout;
        }
        let budget = Budget {
            deadline: budget.deadline.min(end),
            ..*budget
        };
        if driver.session.is_closed() {
            // An agent that serves one client at a time first has to see the end of the old stream, which
            // may have failed on this side only.
            driver.replace(Driver::closed());
            trace::event("the channel is lost; opening it");
            driver.replace(Driver::new(self.endpoint.open(&budget)?));
        }
        driver.synchronize(&budget)
    }
}
