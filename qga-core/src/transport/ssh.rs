//! A socket on another host, by way of OpenSSH's own client.
//!
//! A program there carries the bytes between its standard input and output and the socket. Where there is none, ssh
//! forwards the socket itself.

use std::collections::BTreeSet;
use std::io::{self, ErrorKind, Read, Result};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use tokio::io::AsyncReadExt;

use super::blocking_stream::Stream as _;
use super::child::{self, ChildStream, PolledChildStream};
use super::{Address, time_left, unix};
use crate::error::Reason;

mod command;
mod forward;
mod greeting;

use command::Ssh;
use forward::Folder;
use greeting::{Answer, Greeting};

/// The exit status by which ssh says that it failed itself.
const FAILED: i32 = 255;

/// What is said beside ssh's words if a socket could not be forwarded.
const FORWARDED: &str =
    "neither `qga` nor `socat` was found on that host, so ssh was to forward the socket itself";

/// The hosts whose sockets are forwarded, since no program was found there.
static FORWARDING: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// Opens an address of the scheme `ssh` by a program, which is `ssh` and its first arguments.
pub(super) async fn open(address: &Address, program: &[String]) -> Result<ChildStream> {
    let ssh = Ssh::new(address, program)?;
    if !is_forwarding(&ssh) {
        let mut stream = child::open(&ssh.dial())?;
        match greeted(&mut stream).await {
            Ok(Answer::Ready) => return Ok(stream),
            Err(error) if stream.has_ended_with(FAILED) => return Err(advised(error)),
            answered => ssh.needs_program(answered)?,
        }
    }
    let folder = Folder::new()?;
    let mut stream = child::open(&ssh.forward(&folder)?)?;
    ready(greeted(&mut stream).await)?;
    let socket = unix::open(&folder.socket()).await?;
    remember(&ssh);
    Ok(stream.leading_to(socket, FORWARDED))
}

pub(super) fn open_blocking(
    address: &Address,
    program: &[String],
    deadline: Instant,
) -> Result<PolledChildStream> {
    let ssh = Ssh::new(address, program)?;
    if !is_forwarding(&ssh) {
        let mut stream = child::open_blocking(&ssh.dial())?;
        match greeted_blocking(&mut stream, deadline) {
            Ok(Answer::Ready) => return Ok(stream),
            Err(error) if error.kind() == ErrorKind::TimedOut => return Err(error),
            Err(error) if stream.has_ended_with(FAILED) => return Err(advised(error)),
            answered => ssh.needs_program(answered)?,
        }
    }
    let folder = Folder::new()?;
    let mut stream = child::open_blocking(&ssh.forward(&folder)?)?;
    ready(greeted_blocking(&mut stream, deadline))?;
    let socket = unix::open_blocking(&folder.socket(), deadline)?;
    remember(&ssh);
    Ok(stream.leading_to(socket, FORWARDED))
}

async fn greeted(stream: &mut ChildStream) -> Result<Answer> {
    let mut greeting = Greeting::new();
    loop {
        let byte = stream.read_u8().await?;
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
        stream.read_exact(&mut byte)?;
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

fn is_forwarding(ssh: &Ssh<'_>) -> bool {
    let hosts = FORWARDING.lock().unwrap_or_else(PoisonError::into_inner);
    hosts.contains(&ssh.login())
}

fn remember(ssh: &Ssh<'_>) {
    let mut hosts = FORWARDING.lock().unwrap_or_else(PoisonError::into_inner);
    hosts.insert(ssh.login());
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
