//! The stream to a program, for threads that wait.

use std::io::{Error, ErrorKind, Read, Result, Write};
use std::os::unix::net::UnixStream;
use std::process::ChildStderr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};

use super::process::{GRACE, LOOK, Process, READS};
use super::tail::Tail;
use crate::transport::blocking_stream::Stream;
use crate::transport::polled::{Timeout, wait};
use crate::transport::time_left;

/// A program's input and output. It is killed when this is dropped.
pub(in crate::transport) struct PolledChildStream {
    /// It never blocks.
    stream: UnixStream,
    stderr: Option<ChildStderr>,
    tail: Tail,
    read_timeout: Timeout,
    write_timeout: Timeout,
    waits: AtomicBool,
    process: Process,
    has_read: bool,
    /// Its input, where it leads to a socket instead.
    input: Option<UnixStream>,
}

impl PolledChildStream {
    pub(super) fn new(process: Process, stream: UnixStream, stderr: ChildStderr) -> Result<Self> {
        stream.set_nonblocking(true)?;
        rustix::io::ioctl_fionbio(&stderr, true)?;
        Ok(Self {
            stream,
            stderr: Some(stderr),
            tail: Tail::default(),
            read_timeout: Timeout::default(),
            write_timeout: Timeout::default(),
            waits: AtomicBool::new(true),
            process,
            has_read: false,
            input: None,
        })
    }

    /// The same program, where another stream is the one that it keeps open. If it ends, `why` there is a stream
    /// like that is said too.
    pub(in crate::transport) fn leading_to(
        mut self,
        stream: UnixStream,
        why: &'static str,
    ) -> Result<Self> {
        stream.set_nonblocking(true)?;
        self.input = Some(std::mem::replace(&mut self.stream, stream));
        self.process.why = Some(why);
        Ok(self)
    }

    /// Whether the program has ended with this exit status.
    pub(in crate::transport) fn has_ended_with(&self, code: i32) -> bool {
        let status = self.process.status();
        status.is_some_and(|status| status.code == Some(code))
    }

    /// Takes what the program says of errors, so that it never waits for that.
    fn take_stderr(&mut self) {
        let mut bytes = [0; 1024];
        for _ in 0..READS {
            let Some(stderr) = &mut self.stderr else {
                return;
            };
            match stderr.read(&mut bytes) {
                Ok(count) if count > 0 => self.tail.push(bytes.get(..count).unwrap_or_default()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Ok(_) | Err(_) => self.stderr = None,
            }
        }
    }

    /// Does what would block, once that is possible.
    fn when(
        &mut self,
        flags: PollFlags,
        timeout: Duration,
        mut act: impl FnMut(&mut UnixStream) -> Result<usize>,
    ) -> Result<usize> {
        let deadline = Instant::now() + timeout;
        loop {
            self.take_stderr();
            match act(&mut self.stream) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error)
                    if error.kind() == ErrorKind::WouldBlock
                        && self.waits.load(Ordering::Relaxed) => {}
                done => return done,
            }
            let left = time_left(deadline)?;
            let stream = PollFd::new(&self.stream, flags);
            match &self.stderr {
                Some(stderr) => wait(&mut [stream, PollFd::new(stderr, PollFlags::IN)], left)?,
                None => wait(&mut [stream], left)?,
            }
        }
    }

    /// Waits until the program has ended too, which says why, but no longer than it may.
    fn ending(&mut self, timeout: Duration) -> Result<usize> {
        let deadline = Instant::now() + timeout.min(GRACE);
        let mut status = self.process.status();
        while status.is_none() && self.input.is_none() && Instant::now() < deadline {
            if !self.waits.load(Ordering::Relaxed) {
                return Err(ErrorKind::WouldBlock.into());
            }
            sleep(LOOK);
            status = self.process.status();
        }
        self.take_stderr();
        self.process
            .ending(status, self.has_read, &self.tail)
            .map(|()| 0)
    }
}

impl Read for PolledChildStream {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let timeout = self.read_timeout.get();
        match self.when(PollFlags::IN, timeout, |stream| stream.read(buffer)) {
            Ok(count) if count > 0 => {
                self.has_read = true;
                Ok(count)
            }
            Err(error) if is_timeout(&error) => Err(error),
            Ok(_) | Err(_) => self.ending(timeout),
        }
    }
}

/// Whether it only could not be done in time.
fn is_timeout(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

impl Write for PolledChildStream {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        let timeout = self.write_timeout.get();
        match self.when(PollFlags::OUT, timeout, |stream| stream.write(bytes)) {
            Err(error) if !is_timeout(&error) => self.ending(timeout).and(Err(error)),
            written => written,
        }
    }

    fn flush(&mut self) -> Result<()> {
        Ok(())
    }
}

impl Stream for PolledChildStream {
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
