//! Moves a session's bytes over a tokio stream, and tells it the time.

use std::future::poll_fn;
use std::io::{self, Read as _};
use std::mem::MaybeUninit;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::ReadBuf;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::alarm::Alarm;
use super::standstill::Heed;
use crate::error::Error;
use crate::protocol::{Budget, Event, Session};
use crate::terms::{buffers, trace};
use crate::transport::{Carrier, MachineWatch, TransportLimits};

/// How much is read at once of what nobody has asked for, in bytes.
const OVERHEARD: usize = 1024;

/// A carrier and the session over it.
pub(crate) struct Driver {
    carrier: Carrier,
    pub(crate) session: Session,
    alarm: Alarm,
    /// Whether the stream was asked in this very poll and wakes the task when something comes.
    will_wake: bool,
    /// What ends the wait of whoever has the channel.
    pub(crate) heed: Heed,
}

impl Driver {
    pub(crate) fn new(carrier: Carrier) -> Self {
        let random = buffers::random();
        let session = match &carrier {
            Carrier::Bytes(_) => Session::bytes(random),
            Carrier::Messages(transport) => Session::messages(random, transport.limits().request),
        };
        Self {
            carrier,
            session,
            alarm: Alarm::default(),
            will_wake: false,
            heed: Heed::Nothing,
        }
    }

    /// Takes over the alarm of what has opened the channel.
    pub(crate) fn with_alarm(mut self, alarm: Alarm) -> Self {
        self.alarm = alarm;
        self
    }

    /// A driver whose channel has ended.
    pub(crate) fn closed() -> Self {
        let mut driver = Self::new(Carrier::bytes(tokio::io::empty()));
        driver.session.closed(None);
        driver
    }

    /// Whether it is a stream of bytes.
    #[inline]
    pub(crate) fn is_stream(&self) -> bool {
        matches!(self.carrier, Carrier::Bytes(_))
    }

    /// The longest request and reply.
    pub(crate) fn limits(&self) -> TransportLimits {
        match &self.carrier {
            Carrier::Bytes(_) => TransportLimits::new(),
            Carrier::Messages(transport) => transport.limits(),
        }
    }

    /// What tells of the machine, where the channel can.
    pub(crate) fn machine(&self) -> Option<Arc<dyn MachineWatch>> {
        match &self.carrier {
            Carrier::Bytes(_) => None,
            Carrier::Messages(transport) => transport.machine(),
        }
    }

    /// The next event of the session. There must be a request, or none will come.
    ///
    /// # Cancel safety
    ///
    /// What was read and what is still to be written is kept.
    pub(crate) async fn event(&mut self) -> Event {
        match self.carrier {
            Carrier::Bytes(_) => poll_fn(|cx| self.poll_event(cx)).await,
            Carrier::Messages(_) => self.call().await,
        }
    }

    async fn call(&mut self) -> Event {
        loop {
            if let Some(event) = self.session.poll() {
                return event;
            }
            let message = self.session.take_message();
            if message.is_some() {
                self.session.flushed(|| Instant::now().into_std());
            }
            let (Carrier::Messages(transport), Some(deadline)) =
                (&mut self.carrier, self.session.poll_timeout())
            else {
                return std::future::pending().await;
            };
            let Some(message) = message else {
                sleep_until(deadline.into()).await;
                self.tell_time();
                continue;
            };
            let (heed, heeds) = (&mut self.heed, self.session.heeds_machine());
            heed.listen(transport.machine());
            let called = {
                let call = transport.call(&message, deadline);
                let mut call = pin!(timeout_at(deadline.into(), call));
                let called = poll_fn(|cx| match call.as_mut().poll(cx) {
                    Poll::Pending if heeds => heed.poll(cx).map(Err),
                    polled => polled.map(Ok),
                });
                called.await
            };
            match called {
                Ok(Ok(Ok(reply))) => self.session.message_received(reply),
                Ok(Ok(Err(error))) => {
                    self.tell_time();
                    self.session.message_failed(error, message);
                }
                Ok(Err(_)) => self.tell_time(),
                Err(power) => {
                    let execution = transport.dropped_call();
                    if let Some(Event::Failed(ticket, error)) = self.session.machine_stopped(power)
                    {
                        return Event::Failed(ticket, error.with_execution(execution));
                    }
                }
            }
        }
    }

    /// Writes what is to be written and reads, both at once: an agent that is busy answering takes no
    /// requests.
    #[inline]
    pub(crate) fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Event> {
        let polled = self.poll_stream(cx);
        if polled.is_pending() {
            // What has arrived was read before.
            if self.session.heeds_machine()
                && let Poll::Ready(power) = self.heed.poll(cx)
                && let Some(event) = self.session.machine_stopped(power)
            {
                return Poll::Ready(event);
            }
            // Thousands may wait at once.
            self.give_buffer_back();
        }
        polled
    }

    fn poll_stream(&mut self, cx: &mut Context<'_>) -> Poll<Event> {
        let mut time_has_passed = false;
        loop {
            match self.session.poll() {
                None => {}
                Some(Event::Passed) => {
                    self.tell_time();
                    continue;
                }
                Some(event) => return Poll::Ready(event),
            }
            // A peer that never stops sending never lets the alarm ring.
            if std::mem::take(&mut time_has_passed) {
                self.tell_time();
                continue;
            }
            if self.session.wants_write() {
                match self.poll_write(cx) {
                    Poll::Pending => {}
                    Poll::Ready(Ok(())) => self.session.flushed(|| Instant::now().into_std()),
                    // A peer that has hung up may have answered before.
                    Poll::Ready(Err(error)) => self.session.transmit_failed(error),
                }
            }
            let read = if std::mem::take(&mut self.will_wake) {
                Poll::Pending
            } else {
                self.poll_read(cx)
            };
            match read {
                Poll::Ready(Ok(0)) => self.session.closed(None),
                Poll::Ready(Ok(count)) => self.session.received(count),
                Poll::Ready(Err(error)) => self.session.closed(Some(error)),
                Poll::Pending if self.session.is_broken() => self.session.closed(None),
                Poll::Pending => {
                    let Some(timeout) = self.session.poll_timeout() else {
                        return Poll::Pending;
                    };
                    ready!(self.alarm.poll(timeout.into(), cx));
                }
            }
            time_has_passed = true;
        }
    }

    fn tell_time(&mut self) {
        self.session.handle_timeout(Instant::now().into_std());
    }

    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Carrier::Bytes(stream) = &mut self.carrier else {
            return Poll::Pending;
        };
        loop {
            let bytes = self.session.transmit();
            if bytes.is_empty() {
                return stream.as_mut().poll_flush(cx);
            }
            match ready!(stream.as_mut().poll_write(cx, bytes))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                count => self.session.transmitted(count),
            }
        }
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let Carrier::Bytes(stream) = &mut self.carrier else {
            return Poll::Pending;
        };
        self.session.lend(buffers::take);
        let mut buffer = ReadBuf::new(self.session.spare());
        ready!(stream.as_mut().poll_read(cx, &mut buffer))?;
        Poll::Ready(Ok(buffer.filled().len()))
    }

    /// Waits until the next line answers the next request.
    pub(crate) async fn synchronize(&mut self, budget: &Budget) -> Result<(), Error> {
        if !self.session.is_synchronized() || self.session.is_talking() {
            trace::event("synchronizing");
            self.session.synchronize(budget);
            if let Event::Failed(_, error) = self.event().await {
                return Err(error);
            }
            trace::event("synchronized");
        }
        Ok(())
    }

    /// Looks at the stream, without waiting, before it is used again: an agent that nobody has asked says
    /// nothing, so what it says then is no answer.
    #[inline]
    pub(crate) fn check_idle(&mut self, cx: &mut Context<'_>) {
        if self.session.is_closed() {
            return;
        }
        let Carrier::Bytes(stream) = &mut self.carrier else {
            return;
        };
        let mut room = [const { MaybeUninit::uninit() }; OVERHEARD];
        let mut room = ReadBuf::uninit(&mut room);
        match stream.as_mut().poll_read(cx, &mut room) {
            Poll::Pending => self.will_wake = true,
            Poll::Ready(Ok(())) if room.filled().is_empty() => self.session.closed(None),
            Poll::Ready(Ok(())) => self.overhear(room.filled()),
            Poll::Ready(Err(error)) => self.session.closed(Some(error)),
        }
    }

    /// Takes what was read while nobody had asked for anything.
    #[cold]
    fn overhear(&mut self, mut bytes: &[u8]) {
        self.session.lend(buffers::take);
        while !bytes.is_empty() {
            let count = bytes.read(self.session.spare()).unwrap_or_default();
            self.session.received(count);
        }
    }

    /// Has the stream asked again, since whoever polls next may be another task.
    #[inline]
    pub(crate) fn forget_waker(&mut self) {
        self.will_wake = false;
    }

    /// Whether something came that answers no request, as far as can be seen without waiting.
    pub(crate) async fn is_talking(&mut self) -> bool {
        poll_fn(|cx| {
            self.check_idle(cx);
            Poll::Ready(())
        })
        .await;
        self.session.is_talking()
    }

    /// Takes the place of another driver.
    pub(crate) fn replace(&mut self, by: Self) {
        self.give_buffer_back();
        let heed = std::mem::take(&mut self.heed);
        *self = by;
        self.heed = heed;
    }

    /// Gives the buffer back that it reads into, if nothing unread is in it.
    #[inline]
    fn give_buffer_back(&mut self) {
        if let Some(buffer) = self.session.reclaim() {
            buffers::give_back(buffer);
        }
    }

    /// Forgets the requests that nobody waits for any more, and gives the buffers back.
    pub(crate) fn end(&mut self) {
        self.heed = Heed::Nothing;
        self.session.cancel_all();
        self.give_buffer_back();
        if let Some(buffer) = self.session.reclaim_line() {
            buffers::give_back_line(buffer);
        }
    }
}
