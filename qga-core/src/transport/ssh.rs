//! A socket on another host, by way of OpenSSH's own client.
//!
//! A program there carries the bytes between its standard input and output and the socket. Where there is none, ssh
//! forwards the socket itself.

use std::io::{self, ErrorKind, Read, Result};
use std::time::Instant;

use tokio::io::AsyncReadExt;

use super::blocking_stream::Stream as _;
use super::child::{self, ChildStream, PolledChildStream};
use super::{Address, time_left, unix};
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

/// What comes next.
enum Next {
    /// The socket is reached.
    Go,
    /// It may be reached by forwarding it.
    Forward,
}

/// Opens an address of the scheme `ssh` by a program, which is `ssh` and its first arguments.
pub(super) async fn open(address: &Address, program: &[String]) -> Result<ChildStream> {
    let ssh = Ssh::new(address, program)?;
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
    address: &Address,
    program: &[String],
    deadline: Instant,
) -> Result<PolledChildStream> {
    let ssh = Ssh::new(address, program)?;
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
    Ok(stream.leading_to(socket.map_err(|error| not_forwarded(&error))?, FORWARDED))
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
