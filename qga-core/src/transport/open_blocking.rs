//! Opening what an address names, for a client without a runtime.

use std::io::{ErrorKind, Result};
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Address;
use super::blocking_stream::Stream;
use super::open::{connect_error, open_error};
use crate::error::Error;
use crate::protocol::Budget;

/// How long to wait before a socket is tried again that has no room for one more who waits.
#[cfg(unix)]
const FULL: Duration = Duration::from_millis(20);

/// Opens a stream, until a moment at most.
type Open = dyn Fn(Instant) -> Result<Box<dyn Stream>> + Send + Sync;

/// How a channel is opened, each time anew.
#[derive(Clone)]
pub(crate) enum BlockingEndpoint {
    Address(Arc<Address>),
    Custom(Arc<Open>),
}

impl BlockingEndpoint {
    pub(crate) fn custom<S: Stream + 'static>(
        open: impl Fn() -> Result<S> + Send + Sync + 'static,
    ) -> Self {
        Self::Custom(Arc::new(move |_| Ok(Box::new(open()?))))
    }

    pub(crate) fn address(&self) -> Option<&Arc<Address>> {
        match self {
            Self::Address(address) => Some(address),
            Self::Custom(_) => None,
        }
    }

    /// Opens a stream in the time that there is for it.
    pub(crate) fn open(&self, budget: &Budget) -> std::result::Result<Box<dyn Stream>, Error> {
        let opened = match self {
            Self::Address(address) => open_stream(address, budget.deadline),
            Self::Custom(open) => open(budget.deadline),
        };
        opened.map_err(|error| match error.kind() {
            ErrorKind::TimedOut if budget.deadline <= Instant::now() => {
                connect_error(budget.time_is_up())
            }
            _ => open_error(self.address().map(|address| &**address), error),
        })
    }
}

fn open_stream(address: &Address, deadline: Instant) -> Result<Box<dyn Stream>> {
    match address {
        #[cfg(unix)]
        Address::Unix(path) => Ok(Box::new(open_unix(path, deadline)?)),
        #[cfg(not(unix))]
        Address::Unix(_) => Err(ErrorKind::Unsupported.into()),
        Address::Tcp(host_and_port) => {
            let stream = open_tcp(host_and_port, deadline)?;
            stream.set_nodelay(true)?;
            Ok(Box::new(stream))
        }
    }
}

fn open_tcp(host_and_port: &str, deadline: Instant) -> Result<TcpStream> {
    let mut failed = ErrorKind::NotFound.into();
    for address in host_and_port.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, left(deadline)?) {
            Ok(stream) => return Ok(stream),
            Err(error) => failed = error,
        }
    }
    Err(failed)
}

/// A socket that blocks would wait for room among those who wait for its owner, however long that takes.
#[cfg(unix)]
fn open_unix(path: &std::path::Path, deadline: Instant) -> Result<std::os::unix::net::UnixStream> {
    use socket2::{Domain, SockAddr, Socket, Type};

    let address = SockAddr::unix(path)?;
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    loop {
        match socket.connect(&address) {
            Ok(()) => break,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                std::thread::sleep(left(deadline)?.min(FULL));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(std::os::fd::OwnedFd::from(socket).into())
}

fn left(deadline: Instant) -> Result<Duration> {
    match deadline.saturating_duration_since(Instant::now()) {
        Duration::ZERO => Err(ErrorKind::TimedOut.into()),
        left => Ok(left),
    }
}
