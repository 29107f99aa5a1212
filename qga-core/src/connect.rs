//! Opening the stream that an address names.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout_at;

use crate::connection::Terms;
use crate::error::{Error, ErrorKind, Execution, Stage};
use crate::{Address, Connection};

/// A stream of bytes of any kind.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send {}

impl<T: AsyncRead + AsyncWrite + Send> Stream for T {}

type AnyStream = Pin<Box<dyn Stream>>;

/// A stream that is being opened.
pub(crate) type Opening = Pin<Box<dyn Future<Output = io::Result<AnyStream>> + Send>>;

pub(crate) type AnyConnection = Connection<AnyStream>;

/// How a channel is opened, each time anew.
#[derive(Clone)]
pub(crate) enum Endpoint {
    Address(Arc<Address>),
    Custom(Arc<dyn Fn() -> Opening + Send + Sync>),
}

impl Endpoint {
    pub(crate) fn custom<F, O, S>(open: F) -> Self
    where
        F: Fn() -> O + Send + Sync + 'static,
        O: Future<Output = io::Result<S>> + Send + 'static,
        S: AsyncRead + AsyncWrite + Send + 'static,
    {
        Self::Custom(Arc::new(move || {
            let opening = open();
            Box::pin(async move { Ok(Box::pin(opening.await?) as AnyStream) })
        }))
    }

    pub(crate) fn address(&self) -> Option<&Arc<Address>> {
        match self {
            Self::Address(address) => Some(address),
            Self::Custom(_) => None,
        }
    }

    /// Begins to open a stream.
    pub(crate) fn open(&self) -> Opening {
        match self {
            Self::Address(address) => {
                let address = Arc::clone(address);
                Box::pin(async move { open_stream(&address).await })
            }
            Self::Custom(open) => open(),
        }
    }

    /// The connection over a stream, if it opens in time. If not, it may go on later.
    pub(crate) async fn opened(
        &self,
        opening: &mut Opening,
        terms: &Terms,
    ) -> Result<AnyConnection, Error> {
        match timeout_at(terms.wait.deadline, opening).await {
            Ok(Ok(stream)) => Ok(Connection::new(stream)),
            Ok(Err(_)) if self.address().is_some_and(|address| is_no_socket(address)) => {
                Err(connect_error(ErrorKind::NotASocket))
            }
            Ok(Err(error)) => {
                let is_permanent = self.address().is_some() && never_opens(&error);
                let error = connect_error(ErrorKind::Open(error));
                Err(if is_permanent {
                    error.permanent()
                } else {
                    error
                })
            }
            Err(_) => Err(connect_error(terms.time_is_up())),
        }
    }
}

/// A connection that has ended.
pub(crate) fn closed() -> AnyConnection {
    Connection::closed(Box::pin(tokio::io::empty()))
}

pub(crate) fn connect_error(kind: ErrorKind) -> Error {
    Error::new(Stage::Connect, Execution::NotRun, kind)
}

async fn open_stream(address: &Address) -> io::Result<AnyStream> {
    match address {
        #[cfg(unix)]
        Address::Unix(path) => Ok(Box::pin(open_unix(path).await?)),
        #[cfg(not(unix))]
        Address::Unix(_) => Err(io::ErrorKind::Unsupported.into()),
        Address::Tcp(host_and_port) => {
            let stream = TcpStream::connect(host_and_port).await?;
            stream.set_nodelay(true)?;
            Ok(Box::pin(stream))
        }
    }
}

/// Linux does not queue a connect to a socket whose backlog is full; the caller's deadline does.
#[cfg(unix)]
async fn open_unix(path: &std::path::Path) -> io::Result<tokio::net::UnixStream> {
    loop {
        match tokio::net::UnixStream::connect(path).await {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            opened => return opened,
        }
    }
}

/// Whether it is the address that is wrong, as a path is that is too long.
fn never_opens(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported
    )
}

/// Whether the path names something that is there and is no socket. Linux refuses the connection
/// either way.
#[cfg(unix)]
fn is_no_socket(address: &Address) -> bool {
    use std::os::unix::fs::FileTypeExt;
    match address {
        Address::Unix(path) => {
            std::fs::metadata(path).is_ok_and(|found| !found.file_type().is_socket())
        }
        Address::Tcp(_) => false,
    }
}

#[cfg(not(unix))]
fn is_no_socket(_: &Address) -> bool {
    false
}
