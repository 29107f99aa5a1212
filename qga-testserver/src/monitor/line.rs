//! A client's connection, which is read and written at the same time.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::time::timeout;

use super::outbox::Outbox;
use crate::wire::chunk::CHUNK;
use crate::wire::listener::Stream;

/// How long a client that is let go may take to read what is left.
const PATIENCE: Duration = Duration::from_secs(5);

pub(super) struct Line {
    pub(super) stream: Box<dyn Stream>,
    pub(super) outbox: Arc<Outbox>,
    /// What was taken from the outbox and is not written yet.
    unsent: Vec<u8>,
}

/// What came over a connection.
pub(super) enum Arrived {
    Bytes(Vec<u8>),
    /// The client sends nothing more, and may still read.
    End,
    /// The client has gone.
    Gone,
}

impl Line {
    pub(super) fn new(stream: Box<dyn Stream>, outbox: Arc<Outbox>) -> Self {
        Self {
            stream,
            outbox,
            unsent: Vec::new(),
        }
    }

    /// Writes what there is to write until something arrives, if it may arrive now.
    ///
    /// # Cancel safety
    ///
    /// After the future is dropped, nothing was read, and nothing is lost of what is to be written.
    pub(super) async fn next(&mut self, may_read: impl Fn() -> bool) -> Arrived {
        poll_fn(|context| self.poll_next(&may_read, context)).await
    }

    fn poll_next(
        &mut self,
        may_read: &impl Fn() -> bool,
        context: &mut Context<'_>,
    ) -> Poll<Arrived> {
        if self.poll_write(context).is_ready() {
            return Poll::Ready(Arrived::Gone);
        }
        if !may_read() {
            return Poll::Pending;
        }
        let mut room = vec![0; CHUNK];
        let mut unread = ReadBuf::new(&mut room);
        let read = ready!(Pin::new(&mut self.stream).poll_read(context, &mut unread));
        let bytes = unread.filled().to_vec();
        Poll::Ready(match read {
            // QEMU drops what it has not read of a client that has gone.
            _ if self.stream.has_hung_up() => Arrived::Gone,
            Err(_) => Arrived::Gone,
            Ok(()) if bytes.is_empty() => Arrived::End,
            Ok(()) => Arrived::Bytes(bytes),
        })
    }

    /// Ready only when nothing can be written any more.
    fn poll_write(&mut self, context: &mut Context<'_>) -> Poll<()> {
        loop {
            if self.unsent.is_empty() {
                match ready!(self.outbox.poll_take(context)) {
                    Some(bytes) => self.unsent = bytes,
                    None => return Poll::Ready(()),
                }
            }
            let written = Pin::new(&mut self.stream).poll_write(context, &self.unsent);
            match ready!(written) {
                Ok(count @ 1..) => drop(self.unsent.drain(..count)),
                _ => return Poll::Ready(()),
            }
        }
    }

    /// Writes what is left, and closes the connection.
    pub(super) async fn close(mut self) {
        self.unsent.extend(self.outbox.take());
        let written = self.stream.write_all(&self.unsent);
        if let Ok(Ok(())) = timeout(PATIENCE, written).await {
            drop(self.stream.shutdown().await);
        }
    }
}
