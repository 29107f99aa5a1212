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

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn a_stream_that_had_little_time_to_be_opened_has_the_usual_time_for_its_writes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let _listener = UnixListener::bind(&path).unwrap();
        for left in [WRITE_TIMEOUT / 5, Duration::from_secs(60)] {
            let stream = open_blocking(&path, Instant::now() + left).unwrap();
            let time = stream.write_timeout().unwrap().unwrap();
            // A kernel rounds it up to its ticks.
            assert!(
                (WRITE_TIMEOUT..WRITE_TIMEOUT * 3 / 2).contains(&time),
                "{time:?}"
            );
        }
    }
}
