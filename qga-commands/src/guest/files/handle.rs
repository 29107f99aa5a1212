//! An open file as the agent sees it: a handle that stands somewhere.

use std::io::SeekFrom;
use std::iter;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use qga_core::{Execution, QgaCommand as _};
use tokio::time::Instant;

use super::Dropped;
use crate::commands::file::{
    FileClose, FileFlush, FileRead, FileSeek, FileWrite, GuestFileRead, QgaSeek,
};
use crate::guest::{Guest, GuestError};

/// What one read brings, in bytes. Large enough that the way there and back hardly counts.
const READ_CHUNK: i64 = 256 * 1024;
/// How many reads make a run of [`Handle::read`], which holds it in memory.
const RUN: usize = 4;
/// After this time a run asks for no more, so that other tasks have their turn.
const TURN: Duration = Duration::from_millis(100);
/// What one write takes, in bytes. Libvirt hangs on requests beyond 200 KB, and base64 adds a third.
pub(in crate::guest) const WRITE_CHUNK: usize = 128 * 1024;
/// How often in a row a lost reply is made good.
const PATIENCE: u32 = 2;

/// A handle, and where it stands. A clone stands where it stood when it was cloned.
#[derive(Clone, Debug)]
pub(in crate::guest) struct Handle {
    open: Arc<Open>,
    /// Whether writes go to the end.
    append: bool,
    /// Where the next read or write is to be; `None` is wherever the agent has it.
    pub(super) position: Option<u64>,
    /// Whether the agent may stand elsewhere.
    pub(super) astray: bool,
}

/// What the agent has open until nobody here has it any more.
#[derive(Debug)]
struct Open {
    guest: Guest,
    number: i64,
    closed: AtomicBool,
}

impl Open {
    async fn close(&self) -> Result<(), GuestError> {
        // It is never closed twice, which can be the end of an agent.
        self.closed.store(true, Ordering::Relaxed);
        let result = self.guest.execute(FileClose::new(self.number)).await;
        if matches!(&result, Err(error) if error.execution() == Execution::NotRun) {
            self.closed.store(false, Ordering::Relaxed);
        }
        result.map(drop)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        if !self.closed.load(Ordering::Relaxed) {
            self.guest
                .client()
                .attachment::<Dropped>()
                .push(self.number);
        }
    }
}

/// What a run of reads has brought.
#[derive(Debug, Default)]
pub(in crate::guest) struct Run {
    pub(in crate::guest) bytes: Vec<u8>,
    pub(super) end: bool,
}

impl Handle {
    pub(in crate::guest) fn new(guest: Guest, number: i64, append: bool) -> Self {
        let closed = AtomicBool::new(false);
        Self {
            open: Arc::new(Open {
                guest,
                number,
                closed,
            }),
            append,
            position: (!append).then_some(0),
            astray: false,
        }
    }

    pub(super) fn number(&self) -> i64 {
        self.open.number
    }

    /// Closes it, unless that does not reach the agent; then the next operation does. It goes on if
    /// this future is dropped, since nobody could tell then whether it was sent.
    pub(in crate::guest) async fn close(&self) -> Result<(), GuestError> {
        let open = Arc::clone(&self.open);
        let closing = tokio::spawn(async move { open.close().await });
        closing.await.unwrap_or(Err(GuestError::Stopped))
    }

    /// Reads a run of chunks; no bytes at the file's end.
    pub(in crate::guest) async fn read(&mut self) -> Result<Run, GuestError> {
        let mut bytes = Vec::new();
        let take = |chunk: Vec<u8>| {
            if bytes.is_empty() {
                bytes = chunk;
            } else {
                bytes.extend_from_slice(&chunk);
            }
            true
        };
        let end = self.read_run(RUN, take).await?;
        Ok(Run { bytes, end })
    }

    /// Reads a run of at most so many chunks and hands each to `take`, which says whether it would have
    /// more in this run; one or two more may be on their way then. Whether the file's end was met.
    pub(in crate::guest) async fn read_run(
        &mut self,
        most: usize,
        mut take: impl FnMut(Vec<u8>) -> bool + Send,
    ) -> Result<bool, GuestError> {
        let mut lost = 0;
        loop {
            self.return_from_astray().await?;
            let start = self.position;
            match self.try_run(most, &mut take).await {
                // What is there is good; the failure shows itself again, or passes.
                Err(_) if self.position != start && self.position.is_some() => return Ok(false),
                Err(error) if self.may_repair(&error) && lost < PATIENCE => lost += 1,
                result => return result,
            }
        }
    }

    async fn try_run(
        &mut self,
        most: usize,
        take: &mut (impl FnMut(Vec<u8>) -> bool + Send),
    ) -> Result<bool, GuestError> {
        let open = Arc::clone(&self.open);
        open.guest.before(FileRead::NAME).await?;
        let read = FileRead::new(open.number).count(READ_CHUNK);
        let stop = AtomicBool::new(false);
        let start = Instant::now();
        let reads = iter::repeat_n(read, most)
            .take_while(|_| !stop.load(Ordering::Relaxed) && start.elapsed() < TURN);
        let mut chunks = open.guest.client().pipeline(reads);
        let mut end = false;
        // Until the last reply is here, the agent may be further on than what was received.
        self.astray = true;
        while let Some(chunk) = chunks.next().await {
            let GuestFileRead { data, eof, .. } = chunk?;
            if data.len() as u64 > READ_CHUNK.unsigned_abs() {
                return Err(GuestError::Unexpected("more bytes than were asked for"));
            }
            self.advance(data.len());
            end |= eof || data.is_empty();
            let enough = !data.is_empty() && !take(data.into_vec());
            if end || enough {
                stop.store(true, Ordering::Relaxed);
            }
        }
        self.astray = false;
        Ok(end)
    }

    /// Writes these bytes, all of them.
    pub(in crate::guest) async fn write(&mut self, bytes: &[u8]) -> Result<(), GuestError> {
        let mut left = bytes;
        let mut lost = 0;
        while !left.is_empty() {
            self.return_from_astray().await?;
            self.astray = !self.append;
            let write = FileWrite::new(self.number(), left);
            match self.open.guest.execute(write).await {
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
        let flush = FileFlush::new(self.number());
        match self.open.guest.execute(&flush).await {
            Err(error) if is_lost(&error) => self.open.guest.execute(&flush).await?,
            result => result?,
        };
        Ok(())
    }

    /// Sets where the file stands, and tells it in bytes from the beginning.
    pub(in crate::guest) async fn seek(&mut self, to: SeekFrom) -> Result<u64, GuestError> {
        let (offset, whence) = match to {
            SeekFrom::Start(offset) => (i64::try_from(offset).ok(), QgaSeek::Start),
            SeekFrom::Current(offset) => (Some(offset), QgaSeek::Current),
            SeekFrom::End(offset) => (Some(offset), QgaSeek::End),
        };
        let offset = offset.ok_or(GuestError::InvalidInput("a file is not that long"))?;
        let seek = FileSeek::new(self.number(), offset, whence.clone());
        let sought = match self.open.guest.execute(&seek).await {
            // Sent twice, it would move twice.
            Err(error) if is_lost(&error) && whence != QgaSeek::Current => {
                self.open.guest.execute(&seek).await?
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
