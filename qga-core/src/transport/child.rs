//! A program of this host whose standard input and output are the channel.

use std::io::Result;

mod async_stream;
mod polled_stream;
mod process;
mod tail;

pub(super) use async_stream::ChildStream;
pub(super) use polled_stream::PolledChildStream;
use process::Process;

/// Runs a program with a stream of bytes to and from it.
pub(super) fn open(words: &[String]) -> Result<ChildStream> {
    let (process, stream, stderr) = Process::start(words)?;
    ChildStream::new(process, stream, stderr)
}

pub(super) fn open_blocking(words: &[String]) -> Result<PolledChildStream> {
    let (process, stream, stderr) = Process::start(words)?;
    PolledChildStream::new(process, stream, stderr)
}
