//! Vsock, which leads from a host to its machines and back.
//!
//! Neither std nor tokio has a type for such a socket. Theirs for Unix sockets does: once it is connected, there is no
//! difference in how it is read and written.

use std::io::{self, Result};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as BlockingUnixStream;
use std::time::Instant;

use rustix::event::{PollFd, PollFlags};
use rustix::io::Errno;
use socket2::{Domain, SockAddr, Socket, Type};
use tokio::net::UnixStream;

use super::polled::wait;
use super::time_left;
use crate::error::Reason;

pub(super) async fn open(cid: u32, port: u32) -> Result<UnixStream> {
    let stream = UnixStream::from_std(connect(cid, port)?)?;
    stream.writable().await?;
    check(stream.take_error()?)?;
    Ok(stream)
}

pub(super) fn open_blocking(cid: u32, port: u32, deadline: Instant) -> Result<BlockingUnixStream> {
    let stream = connect(cid, port)?;
    wait(
        &mut [PollFd::new(&stream, PollFlags::OUT)],
        time_left(deadline)?,
    )?;
    check(stream.take_error()?)?;
    Ok(stream)
}

/// Begins to connect.
fn connect(cid: u32, port: u32) -> Result<BlockingUnixStream> {
    let socket = Socket::new(Domain::VSOCK, Type::STREAM, None).map_err(in_words)?;
    socket.set_nonblocking(true)?;
    match socket.connect(&SockAddr::vsock(cid, port)) {
        Err(error) if Errno::from_io_error(&error) != Some(Errno::INPROGRESS) => {
            Err(in_words(error))
        }
        Ok(()) | Err(_) => Ok(OwnedFd::from(socket).into()),
    }
}

/// Whether the connection has come about.
fn check(error: Option<io::Error>) -> Result<()> {
    error.map_or(Ok(()), |error| Err(in_words(error)))
}

fn in_words(error: io::Error) -> io::Error {
    let words = match Errno::from_io_error(&error) {
        Some(Errno::AFNOSUPPORT) => {
            "this host has no vsock; a kernel module is missing, such as `vhost_vsock`"
        }
        Some(Errno::NODEV | Errno::NETUNREACH) => {
            "there is no machine with this CID; is it running, and does it have a vsock device?"
        }
        Some(Errno::CONNRESET | Errno::CONNREFUSED) => {
            "nobody listens on this port in the machine; does its agent run with \
             `--method=vsock-listen`?"
        }
        Some(Errno::TIMEDOUT) => "no machine with this CID has answered; is it running?",
        _ => return error,
    };
    Reason::error(error.kind(), words)
}
