//! An open file as the agent sees it: a handle that stands somewhere.

use std::io::SeekFrom;
use std::iter;
use std::sync::atomic::{AtomicBool, Ordering};

use qga_core::{Execution, QgaCommand as _};

use crate::file::{FileFlush, FileRead, FileSeek, FileWrite, GuestFileRead, QgaSeek};
use crate::guest::{Guest, GuestError};

/// What one read brings, in bytes. Large enough that the way there and back hardly counts.
const READ_CHUNK: i64 = 256 * 1024;
/// How many reads make a run, which has the channel to itself.
const RUN: usize = 4;
/// What one write takes, in bytes. Libvirt hangs on requests beyond 200 KB, and base64 adds a third.
pub(super) const WRITE_CHUNK: usize = 128 * 1024;
/// How often in a row a lost reply is made good.
const PATIENCE: u32 = 2;

/// A handle, and where it stands.
#[derive(Clone, Debug)]
pub(in crate::guest) struct Handle {
    pub(in crate::guest) guest: Guest,
    pub(in crate::guest) number: i64,
    /// Whether writes go to the end.
    pub(super) append: bool,
    /// Where the next read or write is to be; `None` is wherever the agent has it.
    pub(super) position: Option<u64>,
    /// Whether the agent may stand elsewhere.
    pub(super) astray: bool,
}

/// What a run of reads has brought.
#[derive(Debug, Default)]
pub(in crate::guest) struct Run {
    pub(in crate::guest) bytes: Vec<u8>,
    pub(super) end: bool,
}

impl Handle {
    /// A file that was just opened to be read.
    pub(in crate::guest) fn reading(guest: Guest, number: i64) -> Self {
        Self {
            guest,
            number,
            append: false,
            position: Some(0),
            astray: false,
        }
    }

    /// Reads a run of chunks; no bytes at the file's end.
    pub(in crate::guest) async fn read(&mut self) -> Result<Run, GuestError> {
        let mut lost = 0;
        loop {
            self.return_from_astray().await?;
            let mut run = Run::default();
            match self.read_run(&mut run).await {
                // What is there is good; the failure shows itself again, or passes.
                Err(_) if !run.bytes.is_empty() && self.position.is_some() => return Ok(run),
                Err(error) if self.may_repair(&error) && lost < PATIENCE => lost += 1,
                Err(error) => return Err(error),
                Ok(()) => return Ok(run),
            }
        }
    }

    async fn read_run(&mut self, run: &mut Run) -> Result<(), GuestError> {
        self.guest.before(FileRead::NAME).await?;
        let read = FileRead::new(self.number).count(READ_CHUNK);
        let ended = AtomicBool::new(false);
        let reads = iter::repeat_n(read, RUN).take_while(|_| !ended.load(Ordering::Relaxed));
        let mut chunks = self.guest.client().pipeline(reads);
        // Until the last reply is here, the agent may be further on than what was received.
        self.astray = true;
        while let Some(chunk) = chunks.next().await {
            let GuestFileRead { data, eof, .. } = chunk?;
            if data.len() as u64 > READ_CHUNK.unsigned_abs() {
                return Err(GuestError::Unexpected("more bytes than were asked for"));
            }
            self.advance(data.len());
            run.end |= eof || data.is_empty();
            ended.store(run.end, Ordering::Relaxed);
            run.bytes.extend_from_slice(&data);
        }
        self.astray = false;
        Ok(())
    }

    /// Writes these bytes, all of them.
    pub(super) async fn write(&mut self, bytes: &[u8]) -> Result<(), GuestError> {
        let mut left = bytes;
        let mut lost = 0;
        while !left.is_empty() {
            self.return_from_astray().await?;
            self.astray = !self.append;
            let write = FileWrite::new(self.number, left);
            match self.guest.execute(write).await {
                Ok(written) => {
                    let count = usize::try_from(written.count).unwrap_or(0);
                    left = match left.get(count..) {
                        Some(rest) if count > 0 => rest,
                        _ => {
                            return Err(GuestError::Unexpected(
                                "no bytes were written, or too many",
                            ));
                        }
                    };
                    self.astray = false;
                    self.advance(count);
                    lost = 0;
                }
                Err(error) if !self.append && self.may_repair(&error) && lost < PATIENCE => {
                    lost += 1;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Hands what the agent has buffered to the guest's kernel. It may be sent twice.
    pub(super) async fn flush(&mut self) -> Result<(), GuestError> {
        let flush = FileFlush::new(self.number);
        match self.guest.execute(&flush).await {
            Err(error) if is_lost(&error) => self.guest.execute(&flush).await?,
            result => result?,
        };
        Ok(())
    }

    /// Sets where the file stands, and tells it in bytes from the beginning.
    pub(super) async fn seek(&mut self, to: SeekFrom) -> Result<u64, GuestError> {
        let (offset, whence) = match to {
            SeekFrom::Start(offset) => (i64::try_from(offset).ok(), QgaSeek::Start),
            SeekFrom::Current(offset) => (Some(offset), QgaSeek::Current),
            SeekFrom::End(offset) => (Some(offset), QgaSeek::End),
        };
        let offset = offset.ok_or(GuestError::InvalidInput("a file is not that long"))?;
        let seek = FileSeek::new(self.number, offset, whence.clone());
        let sought = match self.guest.execute(&seek).await {
            // Sent twice, it would move twice.
            Err(error) if is_lost(&error) && whence != QgaSeek::Current => {
                self.guest.execute(&seek).await?
            }
            result => result?,
        };
        let position = u64::try_from(sought.position).unwrap_or_default();
        self.position = Some(position);
        self.astray = false;
        Ok(position)
    }

    async fn return_from_astray(&mut self) -> Result<(), GuestError> {
        if let (true, Some(position)) = (self.astray, self.position) {
            self.seek(SeekFrom::Start(position)).await?;
        }
        Ok(())
    }

    fn advance(&mut self, bytes: usize) {
        self.position = match self.position {
            Some(position) if !self.append => Some(position.saturating_add(bytes as u64)),
            _ => None,
        };
    }

    /// Whether the work can be done again from where the file stood.
    fn may_repair(&self, error: &GuestError) -> bool {
        is_lost(error) && self.position.is_some()
    }
}

/// Whether the reply did not come, so that the agent may stand elsewhere.
fn is_lost(error: &GuestError) -> bool {
    error.execution() == Execution::MaybeRun
}
