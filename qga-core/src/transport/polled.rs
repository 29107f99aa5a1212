//! Streams whose descriptors have no timeouts of their own, for threads that wait.

use std::io::{self, ErrorKind, Read, Result, Write};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::blocking_stream::Stream;
use super::time_left;

/// A descriptor that does not block.
pub(super) struct PolledStream<T> {
    inner: T,
    read_timeout: Timeout,
    write_timeout: Timeout,
    waits: AtomicBool,
}

impl<T: AsFd> PolledStream<T> {
    pub(super) fn new(inner: T) -> Self {
        Self {
            inner,
            read_timeout: Timeout::default(),
            write_timeout: Timeout::default(),
            waits: AtomicBool::new(true),
        }
    }

    /// Does what would block, once that is possible.
    fn when(
        &self,
        flags: PollFlags,
        timeout: &Timeout,
        mut act: impl FnMut(&T) -> Result<usize>,
    ) -> Result<usize> {
        let deadline = Instant::now() + timeout.get();
        loop {
            match act(&self.inner) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error)
                    if error.kind() == ErrorKind::WouldBlock
                        && self.waits.load(Ordering::Relaxed) =>
                {
                    let left = time_left(deadline)?;
                    wait(&mut [PollFd::new(&self.inner, flags)], left)?;
                }
                done => return done,
            }
        }
    }
}

impl<T: AsFd> Read for PolledStream<T>
where
    for<'a> &'a T: Read,
{
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        self.when(PollFlags::IN, &self.read_timeout, |mut inner| {
            inner.read(buffer)
        })
    }
}

impl<T: AsFd> Write for PolledStream<T>
where
    for<'a> &'a T: Write,
{
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        self.when(PollFlags::OUT, &self.write_timeout, |mut inner| {
            inner.write(bytes)
        })
    }

    fn flush(&mut self) -> Result<()> {
        Ok(())
    }
}

impl<T: AsFd + Send> Stream for PolledStream<T>
where
    for<'a> &'a T: Read + Write,
{
    fn set_read_timeout(&self, timeout: Duration) -> Result<()> {
        self.read_timeout.set(timeout);
        Ok(())
    }

    fn set_write_timeout(&self, timeout: Duration) -> Result<()> {
        self.write_timeout.set(timeout);
        Ok(())
    }

    fn set_nonblocking(&self, nonblocking: bool) -> Result<()> {
        self.waits.store(!nonblocking, Ordering::Relaxed);
        Ok(())
    }
}

/// How long a read or a write may wait.
#[derive(Default)]
pub(super) struct Timeout(AtomicU64);

impl Timeout {
    pub(super) fn set(&self, timeout: Duration) {
        let nanoseconds = u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX);
        self.0.store(nanoseconds, Ordering::Relaxed);
    }

    pub(super) fn get(&self) -> Duration {
        Duration::from_nanos(self.0.load(Ordering::Relaxed))
    }
}

/// Waits until one of the descriptors is ready, or the time is up.
pub(super) fn wait(descriptors: &mut [PollFd<'_>], timeout: Duration) -> Result<()> {
    let deadline = Instant::now() + timeout;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let left =
            Timespec::try_from(left).map_err(|_| io::Error::from(ErrorKind::InvalidInput))?;
        match poll(descriptors, Some(&left)) {
            Ok(0) => return Err(ErrorKind::TimedOut.into()),
            Ok(_) => return Ok(()),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}
