//! A socket on another host, by way of OpenSSH's own client.
//!
//! A program there carries the bytes between its standard input and output and the socket. Where there is none, ssh
//! forwards the socket itself.

use std::fmt;
use std::io::{self, ErrorKind, Read, Result};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};

use super::blocking_stream::Stream as _;
use super::child::{self, ChildStream, PolledChildStream};
use super::{SshAddress, time_left, unix};
use crate::error::Reason;

mod command;
mod forward;
mod greeting;
mod host;

use command::Ssh;
use forward::Folder;
use greeting::{Answer, Greeting};
use host::Host;

/// The exit status by which ssh says that it failed itself.
const FAILED: i32 = 255;

/// What is said beside ssh's words if a socket could not be forwarded.
const FORWARDED: &str =
    "neither `qga` nor `socat` was found on that host, so ssh was to forward the socket itself";

/// A stream of bytes to a socket on another host; made by [`SshAddress::open`].
pub struct SshStream(ChildStream);

impl SshAddress {
    /// Opens a stream of bytes to what this leads to, for other protocols than the agent's.
    ///
    /// `ssh` is OpenSSH's client and arguments that come before all others, such as `["ssh"]`. `helper` is a program of
    /// the other host, with its arguments, whose standard input and output lead there; it is run if that host has it, and
    /// there may be none. Else the [target](Self::target) is reached as a [client](crate::Client) reaches it; where it is
    /// an [`Other`](crate::Address::Other) address, only the helper can lead there.
    ///
    /// # Errors
    ///
    /// When ssh fails, and when nothing leads to the target. The error has ssh's own words.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, ssh is ended.
    pub async fn open(&self, ssh: &[String], helper: &[&str]) -> Result<SshStream> {
        open(self, ssh, helper).await.map(SshStream)
    }
}

impl AsyncRead for SshStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl AsyncWrite for SshStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

impl fmt::Debug for SshStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SshStream").finish_non_exhaustive()
    }
}

/// What comes next.
enum Next {
    /// The socket is reached.
    Go,
    /// It may be reached by forwarding it.
    Forward,
}

/// Opens an address of the scheme `ssh` by a program, which is `ssh` and its first arguments. A helper there, if one is
/// named, comes before all else that could lead to the socket.
pub(super) async fn open(
    address: &SshAddress,
    program: &[String],
    helper: &[&str],
) -> Result<ChildStream> {
    let ssh = Ssh::new(address, program, helper)?;
    let host = Host::of(ssh.login());
    let _turn = host.turn().await;
    if !host.forwards() {
        let mut stream = child::open(&ssh.dial())?;
        let answered = greeted(&mut stream).await;
        if let Next::Go = next(&ssh, &host, answered, stream.has_ended_with(FAILED))? {
            return Ok(stream);
        }
    }
    let folder = Folder::new()?;
    let mut stream = child::open(&ssh.forward(&folder)?)?;
    ready(greeted(&mut stream).await)?;
    let socket = unix::open(&folder.socket()).await;
    Ok(stream.leading_to(socket.map_err(|error| not_forwarded(&error))?, FORWARDED))
}

pub(super) fn open_blocking(
    address: &SshAddress,
    program: &[String],
    deadline: Instant,
) -> Result<PolledChildStream> {
    let ssh = Ssh::new(address, program, &[])?;
    let host = Host::of(ssh.login());
    let _turn = host.turn_blocking(deadline)?;
    if !host.forwards() {
        let mut stream = child::open_blocking(&ssh.dial())?;
        let answered = greeted_blocking(&mut stream, deadline);
        if let Next::Go = next(&ssh, &host, answered, stream.has_ended_with(FAILED))? {
            return Ok(stream);
        }
    }
    let folder = Folder::new()?;
    let mut stream = child::open_blocking(&ssh.forward(&folder)?)?;
    ready(greeted_blocking(&mut stream, deadline))?;
    let socket = unix::open_blocking(&folder.socket(), deadline);
    stream.leading_to(socket.map_err(|error| not_forwarded(&error))?, FORWARDED)
}

/// What comes after the attempt with a program there; `has_failed` says whether ssh has failed itself.
fn next(ssh: &Ssh<'_>, host: &Host, answered: Result<Answer>, has_failed: bool) -> Result<Next> {
    match answered {
        Ok(Answer::Ready) => Ok(Next::Go),
        Ok(Answer::NoProgram) => {
            ssh.check_forwarding()?;
            host.has_no_program();
            Ok(Next::Forward)
        }
        Err(error) if has_failed || error.kind() == ErrorKind::TimedOut => Err(advised(error)),
        Err(error) => ssh
            .check_forwarding()
            .map_or(Err(error), |()| Ok(Next::Forward)),
    }
}

fn not_forwarded(error: &io::Error) -> io::Error {
    let words = format!("ssh has not forwarded the socket to a folder of this host: {error}");
    Reason::error(error.kind(), words)
}

async fn greeted(stream: &mut ChildStream) -> Result<Answer> {
    let mut greeting = Greeting::new();
    loop {
        let read = stream.read_u8().await;
        let byte = read.map_err(|error| greeting.explain(error))?;
        if let Some(answer) = greeting.push(byte)? {
            return Ok(answer);
        }
    }
}

fn greeted_blocking(stream: &mut PolledChildStream, deadline: Instant) -> Result<Answer> {
    let mut greeting = Greeting::new();
    loop {
        stream.set_read_timeout(time_left(deadline)?)?;
        let mut byte = [0];
        let read = stream.read_exact(&mut byte);
        read.map_err(|error| greeting.explain(error))?;
        if let Some(answer) = greeting.push(byte[0])? {
            return Ok(answer);
        }
    }
}

/// Whether the session is there by which a socket is forwarded.
fn ready(answered: Result<Answer>) -> Result<()> {
    match answered.map_err(advised)? {
        Answer::Ready => Ok(()),
        Answer::NoProgram => Err(ErrorKind::InvalidData.into()),
    }
}

/// The same error, with what to do about it.
fn advised(error: io::Error) -> io::Error {
    let words = error.to_string();
    let advice = if words.contains("Permission denied") {
        "ssh asks for no password here; give it a key, or an agent that has one"
    } else if words.contains("Host key verification failed") {
        "log in by hand once, so that ssh knows the host"
    } else {
        return error;
    };
    Reason::error(error.kind(), format!("{words}; {advice}"))
}
