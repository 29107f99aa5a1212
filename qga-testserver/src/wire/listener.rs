//! The sockets that clients connect to, and their connections.

use std::io;

use tokio::io::{AsyncRead, AsyncWrite, DuplexStream};
use tokio::net::{TcpListener, TcpStream};
#[cfg(unix)]
use tokio::net::{UnixListener, UnixStream};

/// A socket that clients connect to.
#[derive(Debug)]
pub(crate) enum Listener {
    #[cfg(unix)]
    Unix(UnixListener),
    Tcp(TcpListener),
}

/// A client's connection.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {
    /// Lets the connection be reset when it is closed, if its kind of socket can do that.
    fn reset_on_close(&self) {}

    /// Whether the client has closed both directions, if its kind of socket can tell.
    fn has_hung_up(&self) -> bool {
        false
    }
}

impl Stream for DuplexStream {}

#[cfg(unix)]
impl Stream for UnixStream {
    fn has_hung_up(&self) -> bool {
        use std::task::{Context, Poll, Waker};
        let ready = std::pin::pin!(self.ready(tokio::io::Interest::WRITABLE));
        let polled = ready.poll(&mut Context::from_waker(Waker::noop()));
        matches!(polled, Poll::Ready(Ok(ready)) if ready.is_write_closed())
    }
}

impl Stream for TcpStream {
    fn reset_on_close(&self) {
        // A connection that is already gone needs no reset.
        drop(self.set_zero_linger());
    }
}

impl Listener {
    pub(crate) async fn accept(&self) -> io::Result<Box<dyn Stream>> {
        match self {
            #[cfg(unix)]
            Listener::Unix(listener) => Ok(Box::new(listener.accept().await?.0)),
            Listener::Tcp(listener) => {
                let (stream, _) = listener.accept().await?;
                stream.set_nodelay(true)?;
                Ok(Box::new(stream))
            }
        }
    }
}

/// Connects to `unix:PATH` or `tcp:HOST:PORT`.
#[cfg(feature = "cli")]
pub(crate) async fn connect(address: &str) -> io::Result<Box<dyn Stream>> {
    if let Some(address) = address.strip_prefix("tcp:") {
        return Ok(Box::new(TcpStream::connect(address).await?));
    }
    #[cfg(unix)]
    if let Some(path) = address.strip_prefix("unix:") {
        return Ok(Box::new(UnixStream::connect(path).await?));
    }
    let wrong = "an address is unix:PATH or tcp:HOST:PORT";
    Err(io::Error::new(io::ErrorKind::InvalidInput, wrong))
}
