//! Unix sockets.

use std::io::{ErrorKind, Result};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as BlockingUnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use socket2::{Domain, SockAddr, Socket, Type};
use tokio::net::UnixStream;

use super::blocking_stream::{SHORTEST_WAIT, WRITE_TIMEOUT};
use super::time_left;

/// How long to wait before a socket is tried again that has no room for one more who waits.
const FULL: Duration = Duration::from_millis(20);

/// Linux does not queue a connect to a socket whose backlog is full; the caller's deadline does.
pub(super) async fn open(path: &Path) -> Result<UnixStream> {
    loop {
        match UnixStream::connect(path).await {
            Err(error) if error.kind() == ErrorKind::WouldBlock => tokio::time::sleep(FULL).await,
            opened => return opened,
        }
    }
}

/// A stream that is [ready](super::blocking_stream::make_ready).
pub(super) fn open_blocking(path: &Path, deadline: Instant) -> Result<BlockingUnixStream> {
    let address = SockAddr::unix(path)?;
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    let waits = loop {
        let wait = time_left(deadline)?.clamp(SHORTEST_WAIT, WRITE_TIMEOUT);
        // On Linux it holds for a connect too, which waits while nobody else may wait for the socket's owner.
        socket.set_write_timeout(Some(wait))?;
        match socket
            .connect(&address)
            .map_err(|error| (error.kind(), error))
        {
            Ok(()) => break wait,
            Err((ErrorKind::WouldBlock | ErrorKind::Interrupted, _)) => {}
            Err((_, error)) => return Err(error),
        }
    };
    if waits < WRITE_TIMEOUT {
        socket.set_write_timeout(Some(WRITE_TIMEOUT))?;
    }
    Ok(OwnedFd::from(socket).into())
}
