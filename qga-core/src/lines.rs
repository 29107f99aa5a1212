//! Lines in and out of a stream, with a deadline.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use crate::deadline::{Alarm, after};
use crate::frame::{Decoder, Frame, Progress};

/// A stream, what is left to write to it, and the line read last.
pub(crate) struct Lines<T> {
    stream: T,
    decoder: Decoder,
    outgoing: Outgoing,
    alarm: Alarm,
}

#[derive(Default)]
struct Outgoing {
    bytes: Vec<u8>,
    written: usize,
    unflushed: bool,
}

/// Nothing of what passes is shown, nor is a stream that may show it.
impl<T> fmt::Debug for Lines<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lines").finish_non_exhaustive()
    }
}

/// Until when, and how much.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wait {
    pub(crate) deadline: Instant,
    /// Bytes of a line.
    pub(crate) limit: usize,
    /// How many bytes may still be read.
    pub(crate) allowance: u64,
    /// How long to listen once everything is written, where that is shorter.
    pub(crate) grace: Option<Duration>,
    /// Whether everything is written and `deadline` is the end of the grace.
    pub(crate) in_grace: bool,
}

/// What a stream does while nothing is asked of it.
#[derive(Debug)]
pub(crate) enum Idle {
    Quiet,
    /// It holds bytes that answer nothing.
    Talking,
    /// It has ended, with an error where it did not end as it should.
    Ended(Option<io::Error>),
}

/// Why no line came.
#[derive(Debug)]
pub(crate) enum Fault {
    Timeout,
    Closed(Option<io::Error>),
    TooLong(usize),
    /// More was read than [allowed](Wait::allowance).
    Flooded,
}

impl Wait {
    fn begin_grace(&mut self) {
        if let Some(grace) = self.grace.take() {
            let end = after(grace);
            self.in_grace = end <= self.deadline;
            self.deadline = self.deadline.min(end);
        }
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> Lines<T> {
    pub(crate) fn new(stream: T) -> Self {
        Self {
            stream,
            decoder: Decoder::new(),
            outgoing: Outgoing::default(),
            alarm: Alarm::default(),
        }
    }

    /// Puts a line behind those that are still to be written.
    pub(crate) fn push(&mut self, line: Vec<u8>) {
        let outgoing = &mut self.outgoing;
        if outgoing.bytes.is_empty() {
            outgoing.bytes = line;
        } else {
            outgoing.bytes.extend_from_slice(&line);
        }
        outgoing.unflushed = true;
    }

    /// Forgets what is still to be written.
    pub(crate) fn clear(&mut self) {
        self.outgoing = Outgoing::default();
    }

    /// Whether everything is written.
    pub(crate) fn is_flushed(&self) -> bool {
        !self.outgoing.unflushed
    }

    /// Whether nothing of what was pushed is written.
    pub(crate) fn is_untouched(&self) -> bool {
        self.outgoing.written == 0 && !self.outgoing.bytes.is_empty()
    }

    /// Whether the peer has begun no line that it has not ended.
    pub(crate) fn is_between_lines(&self) -> bool {
        self.decoder.is_drained()
    }

    /// Looks at the stream without waiting.
    pub(crate) async fn idle(&mut self) -> Idle {
        if !self.decoder.is_drained() {
            return Idle::Talking;
        }
        poll_fn(|cx| {
            Poll::Ready(match self.poll_read(cx) {
                Poll::Pending => Idle::Quiet,
                Poll::Ready(Ok(0)) => Idle::Ended(None),
                Poll::Ready(Err(error)) => Idle::Ended(Some(error)),
                Poll::Ready(Ok(_)) => Idle::Talking,
            })
        })
        .await
    }

    /// The line that [`next`](Self::next) has read.
    pub(crate) fn frame(&self) -> Frame<'_> {
        self.decoder.frame()
    }

    /// Writes what is to be written and reads the next line, both at once: an agent that is
    /// busy answering takes no requests.
    ///
    /// # Cancel safety
    ///
    /// What was read and what is still to be written is kept.
    pub(crate) async fn next(&mut self, wait: &mut Wait) -> Result<(), Fault> {
        poll_fn(|cx| self.poll_next(wait, cx)).await
    }

    fn poll_next(&mut self, wait: &mut Wait, cx: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        let mut progress = self.decoder.advance(wait.limit);
        let mut broken = None;
        loop {
            match progress {
                Progress::Frame => return Poll::Ready(Ok(())),
                Progress::TooLong => return Poll::Ready(Err(Fault::TooLong(wait.limit))),
                Progress::Incomplete => {}
            }
            if self.outgoing.unflushed
                && broken.is_none()
                && let Poll::Ready(written) = self.poll_write(cx)
            {
                match written {
                    Ok(()) => wait.begin_grace(),
                    // A peer that has hung up may have answered before.
                    Err(error) => broken = Some(error),
                }
            }
            match self.poll_read(cx) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(Fault::Closed(broken))),
                Poll::Ready(Ok(count)) => {
                    let Some(left) = wait.allowance.checked_sub(count as u64) else {
                        return Poll::Ready(Err(Fault::Flooded));
                    };
                    wait.allowance = left;
                    progress = self.decoder.advance(wait.limit);
                }
                Poll::Ready(Err(error)) => {
                    return Poll::Ready(Err(Fault::Closed(broken.or(Some(error)))));
                }
                Poll::Pending if broken.is_some() => {
                    return Poll::Ready(Err(Fault::Closed(broken)));
                }
                Poll::Pending => {
                    ready!(self.alarm.poll(wait.deadline, cx));
                    return Poll::Ready(Err(Fault::Timeout));
                }
            }
            // A peer that never stops sending never lets the alarm ring.
            if progress == Progress::Incomplete && Instant::now() >= wait.deadline {
                return Poll::Ready(Err(Fault::Timeout));
            }
        }
    }

    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outgoing = &mut self.outgoing;
        let mut stream = Pin::new(&mut self.stream);
        while let Some(rest) = outgoing.bytes.get(outgoing.written..)
            && !rest.is_empty()
        {
            match ready!(stream.as_mut().poll_write(cx, rest))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                count => outgoing.written += count,
            }
        }
        ready!(stream.poll_flush(cx))?;
        *outgoing = Outgoing::default();
        Poll::Ready(Ok(()))
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut buffer = ReadBuf::new(self.decoder.spare());
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer))?;
        let count = buffer.filled().len();
        self.decoder.filled(count);
        Poll::Ready(Ok(count))
    }
}
