use tokio::io::DuplexStream;
use tokio::sync::mpsc;

/// Clients in memory that wait for their turn.
pub(super) struct Waiting(pub(super) mpsc::UnboundedReceiver<DuplexStream>);

impl Waiting {
    pub(super) async fn next(&mut self) -> DuplexStream {
        match self.0.recv().await {
            Some(stream) => stream,
            // Nobody can connect any more.
            None => std::future::pending().await,
        }
    }

    pub(super) fn close_all(&mut self) {
        while self.0.try_recv().is_ok() {}
    }
}
