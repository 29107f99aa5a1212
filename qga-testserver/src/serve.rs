#[cfg(unix)]
use std::future::poll_fn;
use std::io;
use std::sync::Arc;
#[cfg(unix)]
use std::task::Poll;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream};
use tokio::sync::mpsc;

use crate::delivery::{Delivery, Piece};
use crate::dispatch::answer;
use crate::json::Reader;
use crate::state::{State, lock};

/// Where clients come from.
pub(crate) struct Clients {
    #[cfg(unix)]
    pub(crate) listener: Option<tokio::net::UnixListener>,
    pub(crate) waiting: mpsc::UnboundedReceiver<DuplexStream>,
}

/// Read at once; filler is sent in pieces of about this size.
const CHUNK: usize = 64 << 10;

/// Serves one client after the other, for ever.
///
/// What a client left half sent stays in the reader, and the next client goes on with it.
pub(crate) async fn serve(mut clients: Clients, state: Arc<State>) {
    let mut reader = Reader::default();
    while let Some(stream) = clients.next().await {
        Client {
            stream,
            gone: false,
        }
        .serve(&mut reader, &state)
        .await;
    }
}

/// Who comes next.
#[cfg(unix)]
enum Next {
    Accepted(io::Result<(tokio::net::UnixStream, tokio::net::unix::SocketAddr)>),
    Waiting(Option<DuplexStream>),
}

/// Before the agent tries again to accept a client.
#[cfg(unix)]
const ACCEPT_PAUSE: Duration = Duration::from_millis(10);

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

impl Clients {
    #[cfg(unix)]
    async fn next(&mut self) -> Option<Box<dyn Stream>> {
        loop {
            let Some(listener) = &self.listener else {
                return Some(Box::new(self.waiting.recv().await?));
            };
            let waiting = &mut self.waiting;
            let next = poll_fn(|context| match listener.poll_accept(context) {
                Poll::Ready(accepted) => Poll::Ready(Next::Accepted(accepted)),
                Poll::Pending => waiting.poll_recv(context).map(Next::Waiting),
            });
            match next.await {
                Next::Accepted(Ok((stream, _))) => return Some(Box::new(stream)),
                // Out of descriptors, say: the client stays in the queue.
                Next::Accepted(Err(_)) => tokio::time::sleep(ACCEPT_PAUSE).await,
                Next::Waiting(stream) => return Some(Box::new(stream?)),
            }
        }
    }

    #[cfg(not(unix))]
    async fn next(&mut self) -> Option<Box<dyn Stream>> {
        Some(Box::new(self.waiting.recv().await?))
    }
}

/// The client that has its turn.
struct Client {
    stream: Box<dyn Stream>,
    /// It takes no more replies; what it has sent is carried out all the same.
    gone: bool,
}

impl Client {
    async fn serve(&mut self, reader: &mut Reader, state: &State) {
        let mut buffer = vec![0; CHUNK];
        loop {
            let count = self.stream.read(&mut buffer).await.unwrap_or(0);
            let mut input = buffer.get(..count).unwrap_or_default();
            if input.is_empty() {
                return;
            }
            while let Some(message) = reader.read(&mut input) {
                let delivery = answer(state, message);
                self.deliver(&delivery).await;
                if delivery.restart {
                    *reader = Reader::default();
                    lock(&state.guest).files.forget_handles();
                }
                if delivery.close {
                    return;
                }
            }
        }
    }

    async fn deliver(&mut self, delivery: &Delivery) {
        for piece in &delivery.pieces {
            match piece {
                Piece::Wait(duration) => tokio::time::sleep(*duration).await,
                Piece::Hang => std::future::pending().await,
                Piece::Bytes(_) | Piece::Filler { .. } if self.gone => {}
                Piece::Bytes(bytes) => self.gone = self.send(bytes, delivery.drip).await.is_err(),
                Piece::Filler { unit, bytes } => {
                    self.gone = self.fill(unit, *bytes, delivery.drip).await.is_err();
                }
            }
        }
    }

    async fn send(&mut self, bytes: &[u8], drip: Option<(usize, Duration)>) -> io::Result<()> {
        let Some((size, every)) = drip else {
            self.stream.write_all(bytes).await?;
            return self.stream.flush().await;
        };
        for (index, piece) in bytes.chunks(size).enumerate() {
            if every.is_zero() {
                tokio::task::yield_now().await;
            } else if index > 0 {
                tokio::time::sleep(every).await;
            }
            self.stream.write_all(piece).await?;
            self.stream.flush().await?;
        }
        Ok(())
    }

    async fn fill(
        &mut self,
        unit: &[u8],
        bytes: Option<u64>,
        drip: Option<(usize, Duration)>,
    ) -> io::Result<()> {
        let many = unit.repeat((CHUNK / unit.len().max(1)).max(1));
        let mut left = bytes;
        while left != Some(0) {
            let length = left.map_or(many.len(), |left| {
                usize::try_from(left).map_or(many.len(), |left| left.min(many.len()))
            });
            self.send(many.get(..length).unwrap_or_default(), drip)
                .await?;
            left = left.map(|left| left - length as u64);
        }
        Ok(())
    }
}
