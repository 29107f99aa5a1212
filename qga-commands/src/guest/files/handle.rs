//! An open file as the agent sees it: a handle that stands somewhere.

use std::io::SeekFrom;
use std::iter;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use qga_core::{Error, Execution, QgaCommand};
use tokio::time::{Instant, timeout};

use crate::commands::file::{
    FileClose, FileFlush, FileRead, FileSeek, FileWrite, GuestFileRead, QgaSeek,
};
use crate::guest::admission::{Admission, TRIES};
use crate::guest::{Guest, GuestError};
use crate::incarnation::{Dropped, Owned, is_unknown_handle};
use crate::{limits, optional};

mod write_run;

/// How many reads make a run of [`Handle::read`], which holds it in memory.
const RUN: usize = 4;
/// After this time a run asks for no more, so that other tasks have their turn.
const TURN: Duration = Duration::from_millis(250);
/// How many lost replies in a row are repaired.
const MAX_REPAIRS: u32 = 2;

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
    file: Arc<Owned>,
    closed: AtomicBool,
}

impl Open {
    /// Runs a command on the open file, if the agent is still there that has it open.
    async fn execute<C: QgaCommand>(&self, command: C) -> Result<C::Response, GuestError> {
        self.execute_by(&self.guest, command).await
    }

    async fn execute_by<C: QgaCommand>(
        &self,
        guest: &Guest,
        command: C,
    ) -> Result<C::Response, GuestError> {
        let result = guest.execute_on(&self.file, command).await;
        if let Err(GuestError::Command(error)) = &result {
            self.check_known(error).await?;
        }
        result
    }

    /// Fails if an error shows that the agent is gone that had the file open.
    async fn check_known(&self, error: &Error) -> Result<(), GuestError> {
        if is_unknown_handle(error) {
            self.guest.disown(&self.file).await?;
        }
        Ok(())
    }

    async fn close(&self, guest: &Guest) -> Result<(), GuestError> {
        // It is never closed twice, which can be the end of an agent.
        self.closed.store(true, Ordering::Relaxed);
        let close = FileClose::new(self.file.number());
        let result = self.execute_by(guest, close).await;
        if let Err(error) = &result {
            let is_left = error.execution() == Execution::NotRun && !error.is_agent_gone();
            self.closed.store(!is_left, Ordering::Relaxed);
        }
        result.map(drop)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        if !self.closed.load(Ordering::Relaxed) {
            let dropped = self.guest.client().attachment::<Dropped>();
            dropped.push(Arc::clone(&self.file));
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
    pub(in crate::guest) fn new(guest: Guest, file: Owned, append: bool) -> Self {
        let (file, closed) = (Arc::new(file), AtomicBool::new(false));
        let open = Open {
            guest,
            file,
            closed,
        };
        Self {
            open: Arc::new(open),
            append,
            position: (!append).then_some(0),
            astray: false,
        }
    }

    pub(in crate::guest) fn number(&self) -> i64 {
        self.open.file.number()
    }

    /// Closes it, unless that does not reach the agent; then the next operation does. It goes on if
    /// this future is dropped, since nobody could tell then whether it was sent.
    pub(in crate::guest) async fn close(&self) -> Result<(), GuestError> {
        self.close_by(self.open.guest.clone()).await
    }

    /// Closes it where nothing hangs on that: an agent that does not answer is not waited for long.
    pub(in crate::guest) async fn close_quietly(&self) {
        let client = self.open.guest.client();
        let brief = Guest::new(optional::in_short(client));
        drop(timeout(optional::time(client), self.close_by(brief)).await);
    }

    async fn close_by(&self, guest: Guest) -> Result<(), GuestError> {
        let open = Arc::clone(&self.open);
        let closing = tokio::spawn(async move { open.close(&guest).await });
        closing.await.unwrap_or(Err(GuestError::Stopped))
    }

    /// Forgets it: the machine is off that had it open.
    pub(in crate::guest) fn forget(&self) {
        self.open.closed.store(true, Ordering::Relaxed);
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
                Err(error) if self.may_repair(&error) && lost < MAX_REPAIRS => lost += 1,
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
        let mut tries = 0;
        loop {
            open.guest.before(FileRead::NAME).await?;
            let admission = open.guest.admit(&open.file).await?;
            let mut run = self.run_within(&admission, most, take).await;
            if let Err(GuestError::Command(error)) = &run {
                open.check_known(error).await?;
                if admission.refused(error) && tries < TRIES {
                    run = Ok(None);
                }
            }
            if let Some(end) = run? {
                return Ok(end);
            }
            tries += 1;
        }
    }

    /// How many bytes one write takes.
    pub(in crate::guest) fn write_chunk(&self) -> usize {
        limits::write_chunk(self.open.guest.client())
    }

    /// Reads a run in one contact with the agent, which must be the one that has the file open; `None` if
    /// the contact had ended before anything was sent.
    async fn run_within(
        &mut self,
        admission: &Admission,
        most: usize,
        take: &mut (impl FnMut(Vec<u8>) -> bool + Send),
    ) -> Result<Option<bool>, GuestError> {
        let asked = limits::read_chunk(admission.client());
        let read = FileRead::new(self.number()).count(i64::try_from(asked).unwrap_or(i64::MAX));
        let stop = AtomicBool::new(false);
        let start = Instant::now();
        let reads = iter::repeat_n(read, most)
            .take_while(|_| !stop.load(Ordering::Relaxed) && start.elapsed() < TURN);
        let mut chunks = admission.client().pipeline(reads);
        let (mut has_read, mut end) = (false, false);
        // What came so late that another agent may have sent it.
        let mut late = Vec::new();
        while let Some(chunk) = chunks.next().await {
            let GuestFileRead { data, eof, .. } = match chunk {
                Err(error) if has_read && admission.refused(&error) => break,
                Err(error) if admission.refused(&error) => return Err(error.into()),
                chunk => {
                    // Until the last reply is here, the agent may be further on than what was received.
                    self.astray = true;
                    chunk?
                }
            };
            check_length(data.len(), asked)?;
            has_read = true;
            end |= eof || data.is_empty();
            let mut enough = false;
            if !late.is_empty() || admission.has_ended() {
                late.push(data.into_vec());
            } else if !data.is_empty() {
                self.advance(data.len());
                enough = !take(data.into_vec());
            }
            if end || enough {
                stop.store(true, Ordering::Relaxed);
            }
        }
        drop(chunks);
        if !late.is_empty() {
            self.open.guest.admit(&self.open.file).await?;
        }
        for data in late.into_iter().filter(|data| !data.is_empty()) {
            self.advance(data.len());
            take(data);
        }
        self.astray = false;
        Ok(has_read.then_some(end))
    }

    /// Writes these bytes, all of them.
    pub(in crate::guest) async fn write(&mut self, bytes: &[u8]) -> Result<(), GuestError> {
        let mut left = bytes;
        let mut lost = 0;
        while !left.is_empty() {
            let returned = self.return_from_astray().await;
            returned.map_err(|error| match lost {
                0 => error,
                _ => error.after_maybe_run(),
            })?;
            self.astray = !self.append;
            let write = FileWrite::new(self.number(), left);
            match self.open.execute(write).await {
                Ok(written) => {
                    let count = usize::try_from(written.count).ok();
                    let count = count.filter(|count| (1..=left.len()).contains(count));
                    let count = count.ok_or_else(|| miscounted(written.count, left.len()))?;
                    left = left.get(count..).unwrap_or_default();
                    self.astray = false;
                    self.advance(count);
                    lost = 0;
                }
                Err(error) if !self.append && self.may_repair(&error) && lost < MAX_REPAIRS => {
                    lost += 1;
                }
                Err(error) if lost > 0 => return Err(error.after_maybe_run()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Hands what the agent has buffered to the guest's kernel. It may be sent twice.
    pub(super) async fn flush(&mut self) -> Result<(), GuestError> {
        let flush = FileFlush::new(self.number());
        match self.open.execute(&flush).await {
            Err(error) if is_lost(&error) => self.open.execute(&flush).await?,
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
        let offset = offset.ok_or_else(|| {
            let longest = i64::MAX;
            let text = format!("{to:?} is beyond the longest file, which has {longest} bytes");
            GuestError::InvalidInput(text.into())
        })?;
        let seek = FileSeek::new(self.number(), offset, whence.clone());
        let sought = match self.open.execute(&seek).await {
            // Sent twice, it would move twice.
            Err(error) if is_lost(&error) && whence != QgaSeek::Current => {
                self.open.execute(&seek).await?
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

fn check_length(bytes: usize, asked: usize) -> Result<(), GuestError> {
    if bytes > asked {
        let text = format!("{bytes} bytes were read where {asked} were asked for");
        return Err(GuestError::Unexpected(text.into()));
    }
    Ok(())
}

fn miscounted(count: i64, of: usize) -> GuestError {
    let text = format!("{count} bytes are said to be written, of {of} that were sent");
    GuestError::Unexpected(text.into())
}

/// Whether the reply did not come, so that the agent may stand elsewhere.
fn is_lost(error: &GuestError) -> bool {
    error.execution() == Execution::MaybeRun
}
