//! Opening what an address names.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use super::{Address, Carrier, MessageTransport};
use crate::error::{AddressError, Error, ErrorKind, Execution, Stage};

/// A carrier that is being opened.
pub(crate) type Opening = Pin<Box<dyn Future<Output = io::Result<Carrier>> + Send>>;

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
            Box::pin(async move { Ok(Carrier::bytes(opening.await?)) })
        }))
    }

    pub(crate) fn messages<F, O, T>(open: F) -> Self
    where
        F: Fn() -> O + Send + Sync + 'static,
        O: Future<Output = io::Result<T>> + Send + 'static,
        T: MessageTransport + 'static,
    {
        Self::Custom(Arc::new(move || {
            let opening = open();
            Box::pin(async move { Ok(Carrier::messages(opening.await?)) })
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

    /// What has been opened, or why it could not be.
    pub(crate) fn opened(&self, opened: io::Result<Carrier>) -> Result<Carrier, Error> {
        opened.map_err(|error| open_error(self.address().map(|address| &**address), error))
    }
}

/// Why a stream could not be opened, with what is known of its address.
pub(super) fn open_error(address: Option<&Address>, error: io::Error) -> Error {
    match address {
        Some(address) if is_no_socket(address) => connect_error(ErrorKind::NotASocket),
        Some(_) if never_opens(&error) => connect_error(ErrorKind::Open(error)).permanent(),
        Some(_) | None => connect_error(ErrorKind::Open(error)),
    }
}

pub(crate) fn connect_error(kind: ErrorKind) -> Error {
    Error::new(Stage::Connect, Execution::NotRun, kind)
}

async fn open_stream(address: &Address) -> io::Result<Carrier> {
    match address {
        #[cfg(unix)]
        Address::Unix(path) => Ok(Carrier::bytes(open_unix(path).await?)),
        #[cfg(not(unix))]
        Address::Unix(_) => Err(io::ErrorKind::Unsupported.into()),
        Address::Tcp(host_and_port) => {
            let stream = TcpStream::connect(host_and_port).await?;
            stream.set_nodelay(true)?;
            Ok(Carrier::bytes(stream))
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

pub(crate) fn text_of(address: &Address) -> Arc<str> {
    address.to_string().into()
}

pub(crate) fn read_address<A>(address: A) -> Result<Address, Error>
where
    A: TryInto<Address, Error: Into<AddressError>>,
{
    let address = address.try_into();
    address.map_err(|error| connect_error(ErrorKind::Address(error.into())))
}
