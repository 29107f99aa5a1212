//! Output that a program has written into files, for a channel whose replies would not carry it.

use std::fmt;

use super::reader::Source;
use super::wait::Asking;
use super::{ExitStatus, Output};
use crate::guest::output::KEPT;
use crate::guest::{Guest, GuestError};

/// Both streams of a program, which are read once it has ended.
pub(super) struct Captured {
    stdout: Stream,
    stderr: Stream,
}

/// A stream's file, and what was read of it.
struct Stream {
    source: Source,
    bytes: Vec<u8>,
    is_read: bool,
}

impl Captured {
    pub(super) fn new(stdout: Source, stderr: Source) -> Self {
        Self {
            stdout: Stream::new(stdout),
            stderr: Stream::new(stderr),
        }
    }

    /// Reads both to their ends, or as much as an agent would have kept, and closes them.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, reading can go on.
    pub(super) async fn read(&mut self, guest: &Guest) -> Result<(), GuestError> {
        self.stdout.read(guest).await?;
        self.stderr.read(guest).await?;
        self.stdout.source.close_quietly().await;
        self.stderr.source.close_quietly().await;
        Ok(())
    }

    /// What was read, of a program that has ended like this.
    pub(super) fn into_output(self, status: ExitStatus) -> Output {
        let mut output = Output::new(status, self.stdout.bytes, self.stderr.bytes);
        output.truncated = output.stdout.len() >= KEPT || output.stderr.len() >= KEPT;
        output
    }
}

impl Stream {
    fn new(source: Source) -> Self {
        Self {
            source,
            bytes: Vec::new(),
            is_read: false,
        }
    }

    async fn read(&mut self, guest: &Guest) -> Result<(), GuestError> {
        let mut asking = Asking::new(guest);
        while !self.is_read {
            let read = self.source.read_into(&mut self.bytes).await;
            match asking.tolerate(read)? {
                Some(is_end) => self.is_read = is_end || self.bytes.len() >= KEPT,
                None => asking.pause().await,
            }
        }
        self.bytes.truncate(KEPT);
        Ok(())
    }
}

/// The lengths only, since the streams may be long and hold secrets.
impl fmt::Debug for Captured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Captured")
            .field("stdout", &self.stdout.bytes.len())
            .field("stderr", &self.stderr.bytes.len())
            .finish()
    }
}
