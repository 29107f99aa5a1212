//! What goes over a channel, for somebody who looks on.

use std::fmt;
use std::io::{self, Read, Write};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::blocking_stream::Stream as BlockingStream;
use super::carrier::Stream;
use super::{Answering, Carrier, MachineWatch, MessageTransport, TransportLimits};

/// Which way bytes went that somebody [looks at](crate::ClientBuilder::inspect).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// To the agent.
    Sent,
    /// From the agent.
    Received,
}

/// Somebody who looks on, if there is one.
#[derive(Clone, Default)]
pub(crate) struct Inspector(Option<Arc<Look>>);

type Look = dyn Fn(Direction, &[u8]) + Send + Sync;

impl Inspector {
    pub(crate) fn new(look: impl Fn(Direction, &[u8]) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(look)))
    }

    /// Has it look at what a carrier carries.
    pub(crate) fn attach(&self, carrier: Carrier) -> Carrier {
        match (&self.0, carrier) {
            (None, carrier) => carrier,
            (Some(look), Carrier::Bytes(stream)) => Carrier::bytes(Inspected::new(stream, look)),
            (Some(look), Carrier::Messages(transport)) => {
                Carrier::messages(Inspected::new(transport, look))
            }
        }
    }

    /// The same for a stream whose reads and writes block.
    pub(crate) fn attach_blocking(
        &self,
        stream: Box<dyn BlockingStream>,
    ) -> Box<dyn BlockingStream> {
        match &self.0 {
            None => stream,
            Some(look) => Box::new(Inspected::new(stream, look)),
        }
    }
}

impl fmt::Debug for Inspector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "on" } else { "off" })
    }
}

/// What is looked at.
struct Inspected<T> {
    inner: T,
    look: Arc<Look>,
}

impl<T> Inspected<T> {
    fn new(inner: T, look: &Arc<Look>) -> Self {
        let look = look.clone();
        Self { inner, look }
    }

    /// Shows the beginning of some bytes.
    fn show(&self, direction: Direction, bytes: &[u8], count: usize) {
        if let Some(bytes @ [_, ..]) = bytes.get(..count) {
            (self.look)(direction, bytes);
        }
    }
}

impl AsyncRead for Inspected<Pin<Box<dyn Stream>>> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(self.inner.as_mut().poll_read(cx, buffer))?;
        let new = buffer.filled().get(before..).unwrap_or_default();
        self.show(Direction::Received, new, new.len());
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Inspected<Pin<Box<dyn Stream>>> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let count = ready!(self.inner.as_mut().poll_write(cx, bytes))?;
        self.show(Direction::Sent, bytes, count);
        Poll::Ready(Ok(count))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner.as_mut().poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner.as_mut().poll_shutdown(cx)
    }
}

impl MessageTransport for Inspected<Box<dyn MessageTransport>> {
    fn limits(&self) -> TransportLimits {
        self.inner.limits()
    }

    fn machine(&self) -> Option<Arc<dyn MachineWatch>> {
        self.inner.machine()
    }

    fn call<'a>(&'a mut self, request: &'a [u8], deadline: Instant) -> Answering<'a> {
        Box::pin(async move {
            self.show(
                Direction::Sent,
                &[request, b"\n"].concat(),
                request.len() + 1,
            );
            let reply = self.inner.call(request, deadline).await?;
            self.show(
                Direction::Received,
                &[&reply, b"\n".as_slice()].concat(),
                reply.len() + 1,
            );
            Ok(reply)
        })
    }
}

impl Read for Inspected<Box<dyn BlockingStream>> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.show(Direction::Received, buffer, count);
        Ok(count)
    }
}

impl Write for Inspected<Box<dyn BlockingStream>> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.inner.write(bytes)?;
        self.show(Direction::Sent, bytes, count);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl BlockingStream for Inspected<Box<dyn BlockingStream>> {
    fn set_read_timeout(&self, timeout: Duration) -> io::Result<()> {
        self.inner.set_read_timeout(timeout)
    }

    fn set_write_timeout(&self, timeout: Duration) -> io::Result<()> {
        self.inner.set_write_timeout(timeout)
    }

    fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
        self.inner.set_nonblocking(nonblocking)
    }
}
