//! The Unix socket by which Firecracker, Cloud Hypervisor and `vhost-device-vsock` lead to the vsock ports of a
//! machine: whoever writes `CONNECT PORT` reads `OK` and a number, and is connected.

use std::io::{self, ErrorKind, Read, Result, Write};
use std::os::unix::net::UnixStream as BlockingUnixStream;
use std::path::Path;
use std::time::Instant;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use super::{line::Line, time_left, unix};
use crate::error::Reason;
use crate::text::Excerpt;

/// How long the proxy's line may be, in bytes.
const LONGEST: usize = 64;

pub(super) async fn open(path: &Path, port: u32) -> Result<UnixStream> {
    let mut stream = unix::open(path).await?;
    let answered = async {
        stream.write_all(request(port).as_bytes()).await?;
        let mut line = Line::new(LONGEST);
        while line.wants_more() {
            line.push(stream.read_u8().await?);
        }
        Ok(line)
    };
    check(answered.await, port)?;
    Ok(stream)
}

pub(super) fn open_blocking(
    path: &Path,
    port: u32,
    deadline: Instant,
) -> Result<BlockingUnixStream> {
    let mut stream = unix::open_blocking(path, deadline)?;
    let answered = (|| {
        stream.set_write_timeout(Some(time_left(deadline)?))?;
        stream.write_all(request(port).as_bytes())?;
        let mut line = Line::new(LONGEST);
        while line.wants_more() {
            stream.set_read_timeout(Some(time_left(deadline)?))?;
            let mut byte = [0];
            stream.read_exact(&mut byte)?;
            line.push(byte[0]);
        }
        Ok(line)
    })();
    check(answered, port)?;
    Ok(stream)
}

fn request(port: u32) -> String {
    format!("CONNECT {port}\n")
}

fn check(answered: Result<Line>, port: u32) -> Result<()> {
    let line = match answered {
        Ok(line) if line.is_whole() && line.text().starts_with("OK ") => return Ok(()),
        Ok(line) => line.text(),
        Err(error) if has_ended(&error) => {
            let words = format!(
                "the proxy has closed the connection: nobody listens on port {port} in the machine; \
                 has it started, and does its agent run with `--method=vsock-listen`?"
            );
            return Err(Reason::error(ErrorKind::ConnectionRefused, words));
        }
        Err(error) if error.kind() == ErrorKind::WouldBlock => {
            return Err(ErrorKind::TimedOut.into());
        }
        Err(error) => return Err(error),
    };
    let words = format!(
        "what listens at this path answers {:?} in place of OK; is it the vsock socket of a machine?",
        Excerpt(&line)
    );
    Err(Reason::error(ErrorKind::InvalidData, words))
}

fn has_ended(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe
    )
}
