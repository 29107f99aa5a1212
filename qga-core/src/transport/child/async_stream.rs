//! The stream to a program, for tokio.

use std::io::Result;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::pin::Pin;
use std::process::ChildStderr;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::UnixStream;
use tokio::net::unix::pipe::Receiver;
use tokio::runtime::{Handle, Id};
use tokio::time::{Instant, Sleep, sleep};

use super::process::{GRACE, LOOK, Process, READS};
use super::tail::Tail;

/// A program's input and output. It is killed when this is dropped.
pub(in crate::transport) struct ChildStream {
    stream: UnixStream,
    stderr: Option<Receiver>,
    tail: Tail,
    /// Once the stream has ended.
    ending: Option<Ending>,
    process: Process,
    has_read: bool,
    /// Its input, where it leads to a socket instead.
    input: Option<UnixStream>,
}

struct Ending {
    /// The next look, in a runtime.
    look: Option<(Id, Pin<Box<Sleep>>)>,
    deadline: Instant,
}

impl Ending {
    /// Waits until it is time to look again. What waits for a timer cannot go on in another runtime.
    fn poll_look(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let here = Handle::current().id();
        self.look = self.look.take().filter(|(runtime, _)| *runtime == here);
        let (_, look) = self
            .look
            .get_or_insert_with(|| (here, Box::pin(sleep(LOOK))));
        ready!(look.as_mut().poll(cx));
        self.look = None;
        Poll::Ready(())
    }
}

impl ChildStream {
    pub(super) fn new(
        process: Process,
        stream: StdUnixStream,
        stderr: ChildStderr,
    ) -> Result<Self> {
        stream.set_nonblocking(true)?;
        Ok(Self {
            stream: UnixStream::from_std(stream)?,
            stderr: Some(Receiver::from_owned_fd(OwnedFd::from(stderr))?),
            tail: Tail::default(),
            ending: None,
            process,
            has_read: false,
            input: None,
        })
    }

    /// The same program, where another stream is the one that it keeps open. If it ends, `why` there is a stream like
    /// that is said too.
    pub(in crate::transport) fn leading_to(
        mut self,
        stream: UnixStream,
        why: &'static str,
    ) -> Self {
        self.input = Some(std::mem::replace(&mut self.stream, stream));
        self.process.why = Some(why);
        self
    }

    /// Whether the program has ended with this exit status.
    pub(in crate::transport) fn has_ended_with(&self, code: i32) -> bool {
        let status = self.process.status();
        status.is_some_and(|status| status.code == Some(code))
    }

    /// Takes what the program says of errors, so that it never waits for that.
    fn poll_stderr(&mut self, cx: &mut Context<'_>) {
        let mut bytes = [0; 1024];
        for _ in 0..READS {
            let Some(stderr) = &mut self.stderr else {
                return;
            };
            let mut buffer = ReadBuf::new(&mut bytes);
            match Pin::new(stderr).poll_read(cx, &mut buffer) {
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {
                    self.tail.push(buffer.filled());
                }
                Poll::Ready(_) => self.stderr = None,
                Poll::Pending => return,
            }
        }
        // A program that never stops complaining must not keep everything else from its turn.
        cx.waker().wake_by_ref();
    }

    /// Waits until the program has ended too, which says why.
    fn poll_ending(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        loop {
            let status = self.process.status();
            let ending = self.ending.get_or_insert_with(|| Ending {
                look: None,
                deadline: Instant::now() + GRACE,
            });
            let is_over = ending.deadline <= Instant::now() || self.input.is_some();
            if status.is_some() || is_over {
                self.poll_stderr(cx);
                return Poll::Ready(self.process.ending(status, self.has_read, &self.tail));
            }
            ready!(ending.poll_look(cx));
        }
    }
}

impl AsyncRead for ChildStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<Result<()>> {
        self.poll_stderr(cx);
        if self.ending.is_none() {
            let before = buffer.filled().len();
            let read = ready!(Pin::new(&mut self.stream).poll_read(cx, buffer));
            if read.is_ok() && buffer.filled().len() > before {
                self.has_read = true;
                return Poll::Ready(Ok(()));
            }
        }
        self.poll_ending(cx)
    }
}

impl AsyncWrite for ChildStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<Result<usize>> {
        self.poll_stderr(cx);
        match ready!(Pin::new(&mut self.stream).poll_write(cx, bytes)) {
            Ok(count) => Poll::Ready(Ok(count)),
            // The program's end tells more.
            Err(error) => self.poll_ending(cx).map(|ended| ended.and(Err(error))),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
