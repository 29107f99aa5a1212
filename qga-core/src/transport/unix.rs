//! Unix sockets.

use std::io::{ErrorKind, Result};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as BlockingUnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use socket2::{Domain, SockAddr, Socket, Type};
use tokio::net::UnixStream;

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

/// A socket that blocks would wait for room among those who wait for its owner, however long that takes.
pub(super) fn open_blocking(path: &Path, deadline: Instant) -> Result<BlockingUnixStream> {
    let address = SockAddr::unix(path)?;
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    loop {
        match socket.connect(&address) {
            Ok(()) => return Ok(OwnedFd::from(socket).into()),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                std::thread::sleep(time_left(deadline)?.min(FULL));
            }
            Err(error) => return Err(error),
        }
    }
}
