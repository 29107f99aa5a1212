//! What lies between the client and the agent: a stream that ends or is reset, and the next one.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::random::Random;

/// The client's end.
pub(crate) struct Wire {
    stream: DuplexStream,
    is_reset: Arc<AtomicBool>,
}

/// The agent's end; dropping it ends the stream.
pub(crate) struct Pipe {
    pub(crate) stream: DuplexStream,
    is_reset: Arc<AtomicBool>,
}

impl Pipe {
    /// Makes the end of the stream an error.
    pub(crate) fn reset(&self) {
        self.is_reset.store(true, Relaxed);
    }
}

/// What the client connects to; each connection is another stream to the same agent.
#[derive(Clone)]
pub(crate) struct Host {
    pipes: UnboundedSender<Pipe>,
    random: Arc<Mutex<Random>>,
    is_faulty: Arc<AtomicBool>,
}

impl Host {
    pub(crate) fn new(seed: u64) -> (Self, UnboundedReceiver<Pipe>) {
        let (pipes, waiting) = unbounded_channel();
        let random = Arc::new(Mutex::new(Random(seed)));
        let is_faulty = Arc::default();
        let host = Self {
            pipes,
            random,
            is_faulty,
        };
        (host, waiting)
    }

    /// From now on, connecting may fail or take long.
    pub(crate) fn becomes_faulty(&self) {
        self.is_faulty.store(true, Relaxed);
    }

    pub(crate) async fn connect(self) -> io::Result<Wire> {
        let (capacity, luck) = {
            let mut random = self.random.lock().unwrap();
            let most = if random.percent(10) { 50 } else { 4000 };
            (1 + random.size(most), random.below(100))
        };
        match luck {
            _ if !self.is_faulty.load(Relaxed) => {}
            0..20 => return Err(io::ErrorKind::ConnectionRefused.into()),
            20..25 => tokio::time::sleep(Duration::from_secs(luck - 15)).await,
            _ => {}
        }
        let (ours, theirs) = tokio::io::duplex(capacity);
        let is_reset: Arc<AtomicBool> = Arc::default();
        let pipe = Pipe {
            stream: theirs,
            is_reset: is_reset.clone(),
        };
        self.pipes.send(pipe).unwrap();
        Ok(Wire {
            stream: ours,
            is_reset,
        })
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        let ended = buffer.filled().len() == before && buffer.remaining() > 0;
        if ended && self.is_reset.load(Relaxed) {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
