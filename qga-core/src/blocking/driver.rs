//! Moves a session's bytes over a blocking stream, and tells it the time.

use std::io::{self, ErrorKind};
use std::time::{Duration, Instant};

use super::Stream;
use crate::error::Error;
use crate::protocol::{Budget, Event, Session};
use crate::terms::{Standstill, buffers, trace};
use crate::transport::{SHORTEST_WAIT, WRITE_TIMEOUT, make_ready};

/// How much is written before it is looked at the clock again for each second that is left, in bytes: a write of more than
/// a socket holds waits for each part of it anew.
const WRITE_LENGTH: usize = 64 << 10;

/// A channel that was used a shorter time ago is not looked at before it is used again.
const IDLE: Duration = Duration::from_millis(10);

/// How long a read may wait before it is looked again whether the machine runs, where somebody tells.
pub(super) const LOOK: Duration = Duration::from_millis(50);

/// A read that may wait longer than this may end after this first, and wait again.
const EARLY: Duration = Duration::from_millis(900);

/// How much later than it is due a read may end at most.
const LATE: Duration = Duration::from_millis(50);

/// A stream and the session over it.
pub(super) struct Driver {
    stream: Box<dyn Stream>,
    pub(super) session: Session,
    /// What the stream was told last, since to tell it costs a system call.
    read_timeout: Option<Duration>,
    /// When it was last waited for.
    waited: Option<Instant>,
    /// The machine of whoever has the channel, if somebody tells of it.
    pub(super) standstill: Option<Standstill>,
    /// Whether nothing has come for a while.
    is_silent: bool,
}

impl Driver {
    /// Drives a stream that is [ready](make_ready).
    pub(super) fn new(stream: Box<dyn Stream>) -> Self {
        Self {
            stream,
            session: Session::bytes(buffers::random()),
            read_timeout: None,
            waited: None,
            standstill: None,
            is_silent: false,
        }
    }

    /// Drives a stream that somebody else has opened.
    pub(super) fn handed(stream: Box<dyn Stream>) -> Self {
        let is_ready = make_ready(&stream);
        let mut driver = Self::new(stream);
        if let Err(error) = is_ready {
            driver.session.closed(Some(error));
        }
        driver
    }

    /// A driver whose channel has ended.
    pub(super) fn closed() -> Self {
        let mut driver = Self::new(Box::new(io::empty()));
        driver.session.closed(None);
        driver
    }

    /// The next event of the session. There must be a request, or none will come.
    pub(super) fn event(&mut self) -> Event {
        loop {
            match self.session.poll() {
                None => {}
                Some(Event::Passed) => {
                    self.session.handle_timeout(Instant::now());
                    continue;
                }
                Some(event) => return event,
            }
            if self.session.wants_write() {
                self.write();
            }
            if let Err(error) = self.read() {
                self.session.closed(error);
            }
            if let Some(event) = self.look_at_machine() {
                return event;
            }
        }
    }

    /// Has a request fail whose answer does not come since the machine does not run.
    fn look_at_machine(&mut self) -> Option<Event> {
        let is_silent = std::mem::take(&mut self.is_silent);
        let standstill = self.standstill.as_mut().filter(|_| is_silent)?;
        let power = standstill.is_over(Instant::now())?;
        let heeds = self.session.heeds_machine();
        heeds.then(|| self.session.machine_stopped(power)).flatten()
    }

    /// Writes what is to be written, as far as the other side takes it and there is time.
    fn write(&mut self) {
        loop {
            let bytes = self.session.transmit();
            let bytes = match bytes.len() {
                ..=WRITE_LENGTH => bytes,
                _ => bytes.get(..self.write_length()).unwrap_or(bytes),
            };
            let written = match bytes {
                [] => self.stream.flush().map(|()| 0),
                bytes => match self.stream.write(bytes) {
                    Ok(0) => Err(ErrorKind::WriteZero.into()),
                    written => written,
                },
            };
            match written {
                Ok(0) => return self.session.flushed(Instant::now),
                Ok(count) => self.session.transmitted(count),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if is_timeout(&error) => return,
                Err(error) => return self.session.transmit_failed(error),
            }
            if !self.session.transmit().is_empty() && self.is_time_up() {
                return;
            }
        }
    }

    /// How much may be written at once so that it ends in time, however slowly the other side takes it.
    fn write_length(&self) -> usize {
        let timeout = self.session.poll_timeout();
        let left = timeout.map(|timeout| timeout.saturating_duration_since(Instant::now()));
        let seconds = left.map_or(1, |left| left.as_secs().max(1));
        WRITE_LENGTH.saturating_mul(usize::try_from(seconds).unwrap_or(usize::MAX))
    }

    fn is_time_up(&self) -> bool {
        let timeout = self.session.poll_timeout();
        timeout.is_some_and(|timeout| timeout <= Instant::now())
    }

    /// Reads what comes until the next deadline. The error is the end of the channel.
    fn read(&mut self) -> Result<(), Option<io::Error>> {
        let Some(timeout) = self.session.poll_timeout() else {
            return Ok(());
        };
        let now = Instant::now();
        self.waited = Some(now);
        let left = timeout.saturating_duration_since(now);
        if left.is_zero() {
            self.session.handle_timeout(now);
            return Ok(());
        }
        let wait = if self.session.wants_write() {
            left.min(WRITE_TIMEOUT)
        } else {
            left
        };
        let wait = match self.standstill {
            Some(_) => wait.min(LOOK),
            None => wait,
        };
        let is_broken = self.session.is_broken();
        self.set_read_timeout(if is_broken { Duration::ZERO } else { wait })
            .map_err(Some)?;
        match self.stream.read(self.session.spare()) {
            Ok(0) => Err(None),
            Ok(count) => {
                self.session.received(count);
                Ok(())
            }
            Err(error) if is_timeout(&error) && is_broken => Err(None),
            Err(error) if is_timeout(&error) => {
                self.is_silent = true;
                self.read_timeout = None;
                self.session.handle_timeout(Instant::now());
                Ok(())
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(()),
            Err(error) => Err(Some(error)),
        }
    }

    /// Lets a read end in so long, or a little later where that spares a system call, or earlier: most answers come at
    /// once.
    fn set_read_timeout(&mut self, wait: Duration) -> io::Result<()> {
        let wait = wait.max(SHORTEST_WAIT);
        let late = LATE.min(wait / 64);
        if let Some(set) = self.read_timeout
            && set >= wait.min(EARLY)
            && set <= wait + late
        {
            return Ok(());
        }
        let later = wait + late / 2;
        self.stream.set_read_timeout(later)?;
        self.read_timeout = Some(later);
        Ok(())
    }

    /// Waits until the channel is synchronized.
    pub(super) fn synchronize(&mut self, budget: &Budget) -> Result<(), Error> {
        if self.session.is_synchronized() {
            return Ok(());
        }
        trace::event("synchronizing");
        self.session.synchronize(budget);
        if let Event::Failed(_, error) = self.event() {
            return Err(error);
        }
        trace::event("synchronized");
        Ok(())
    }

    /// Whether something came that answers no request, as far as can be seen without waiting.
    pub(super) fn is_talking(&mut self, now: Instant) -> bool {
        self.check_idle(now);
        self.session.is_talking()
    }

    /// Has the stream looked at before it is used again, however short a time ago it was used.
    pub(super) fn expect_anything(&mut self) {
        self.waited = None;
    }

    /// Takes the place of another driver, with a buffer to read into.
    pub(super) fn replace(&mut self, mut by: Self) {
        if let Some(buffer) = self.session.reclaim() {
            by.session.lend(|| buffer);
        }
        by.standstill = self.standstill.take();
        *self = by;
    }

    /// Looks at the stream, without waiting, before it is used again: an agent that nobody has asked says
    /// nothing, so what it says then is no answer.
    fn check_idle(&mut self, now: Instant) {
        let is_recent = self.waited.is_some_and(|waited| now < waited + IDLE);
        if self.session.is_closed()
            || (is_recent && self.session.is_synchronized() && self.session.capacity() > 1)
        {
            return;
        }
        let read = self
            .stream
            .set_nonblocking(true)
            .and_then(|()| self.stream.read(self.session.spare()));
        let back = self.stream.set_nonblocking(false);
        match (read, back) {
            (_, Err(_)) | (Ok(0), _) => self.session.closed(None),
            (Ok(count), _) => self.session.received(count),
            (Err(error), _) if is_timeout(&error) => {}
            (Err(error), _) if error.kind() == ErrorKind::Interrupted => {}
            (Err(error), _) => self.session.closed(Some(error)),
        }
    }

    /// Borrows a buffer to read into until the [end](Self::end) of an exchange.
    pub(super) fn begin(&mut self) {
        self.session.lend(buffers::take);
    }

    /// Forgets the requests that nobody waits for any more, and gives the buffer back if nothing unread is
    /// in it.
    pub(super) fn end(&mut self) {
        self.standstill = None;
        self.session.cancel_all();
        if let Some(buffer) = self.session.reclaim() {
            buffers::give_back(buffer);
        }
        if let Some(buffer) = self.session.reclaim_line() {
            buffers::give_back_line(buffer);
        }
    }
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}
