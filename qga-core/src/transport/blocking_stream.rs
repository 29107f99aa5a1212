//! Streams whose reads and writes block, but not for longer than they may.

use std::io::{Read, Result, Write};
use std::net::TcpStream;
use std::time::Duration;

/// The shortest wait that a stream is asked for: none would be one without end.
pub(crate) const SHORTEST_WAIT: Duration = Duration::from_micros(1);

/// How long a write may wait before it is looked whether the other side wants to be read first.
pub(crate) const WRITE_TIMEOUT: Duration = Duration::from_millis(50);

/// A stream of bytes whose reads and writes end in time: a Unix socket, a TCP connection, or whatever
/// else can be waited for.
///
/// A read or a write that has to wait longer than it may ends in
/// [`WouldBlock`](std::io::ErrorKind::WouldBlock) or [`TimedOut`](std::io::ErrorKind::TimedOut).
pub trait Stream: Read + Write + Send {
    /// How long a read may wait. It is never asked for less than a microsecond.
    ///
    /// # Errors
    ///
    /// When the stream refuses it.
    fn set_read_timeout(&self, timeout: Duration) -> Result<()>;

    /// How long a write may block while not one byte can be written.
    ///
    /// # Errors
    ///
    /// When the stream refuses it.
    fn set_write_timeout(&self, timeout: Duration) -> Result<()>;

    /// Whether reads and writes wait at all.
    ///
    /// # Errors
    ///
    /// When the stream refuses it.
    fn set_nonblocking(&self, nonblocking: bool) -> Result<()>;
}

macro_rules! socket {
    ($socket:ty) => {
        impl Stream for $socket {
            fn set_read_timeout(&self, timeout: Duration) -> Result<()> {
                <$socket>::set_read_timeout(self, Some(timeout))
            }

            fn set_write_timeout(&self, timeout: Duration) -> Result<()> {
                <$socket>::set_write_timeout(self, Some(timeout))
            }

            fn set_nonblocking(&self, nonblocking: bool) -> Result<()> {
                <$socket>::set_nonblocking(self, nonblocking)
            }
        }
    };
}

socket!(TcpStream);
#[cfg(unix)]
socket!(std::os::unix::net::UnixStream);

/// Has reads and writes wait, and writes no longer than they are to.
pub(crate) fn make_ready(stream: &dyn Stream) -> Result<()> {
    stream.set_nonblocking(false)?;
    stream.set_write_timeout(WRITE_TIMEOUT)
}

/// A stream that has ended.
impl Stream for std::io::Empty {
    fn set_read_timeout(&self, _: Duration) -> Result<()> {
        Ok(())
    }

    fn set_write_timeout(&self, _: Duration) -> Result<()> {
        Ok(())
    }

    fn set_nonblocking(&self, _: bool) -> Result<()> {
        Ok(())
    }
}

impl Stream for Box<dyn Stream> {
    fn set_read_timeout(&self, timeout: Duration) -> Result<()> {
        (**self).set_read_timeout(timeout)
    }

    fn set_write_timeout(&self, timeout: Duration) -> Result<()> {
        (**self).set_write_timeout(timeout)
    }

    fn set_nonblocking(&self, nonblocking: bool) -> Result<()> {
        (**self).set_nonblocking(nonblocking)
    }
}
