//! An open file.

use std::fmt;
use std::future::poll_fn;
use std::io::SeekFrom;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::task::JoinHandle;

use super::handle::{Handle, Run};
use crate::guest::GuestError;

/// An open file of the guest, to be read, written and sought with the traits of
/// [`tokio::io`](https://docs.rs/tokio/latest/tokio/io/index.html).
///
/// As with `tokio::fs::File`, a write returns before its bytes are written, and the next operation returns the error of
/// a write that failed. So end with [`close`](Self::close), which reports the last one. If the file is dropped instead,
/// the next operation on its guest closes it. A read that is under way is given up then; the last write is still
/// carried out, unless the runtime ends before.
///
/// # Panics
///
/// Reading, writing and seeking panic outside a tokio runtime. They run in tasks of their own, so that they do not hold up
/// the commands of other tasks while nobody polls their futures.
pub struct File {
    pub(super) handle: Handle,
    /// What was read and not yet taken, from `taken` on.
    read: Run,
    taken: usize,
    /// The run after that.
    next: Option<Result<Run, GuestError>>,
    /// Whether a whole run was taken and the one after it was wanted, so that more is read ahead.
    in_turn: bool,
    job: Option<Job>,
    pub(super) seek_to: Option<SeekFrom>,
    pub(super) unflushed: bool,
}

/// Something under way, in a task of its own: the channel may be its, and the caller need not poll.
struct Job {
    task: JoinHandle<(Handle, Done)>,
    reads: bool,
}

/// What a job has done. How a read has ended is told to those who read.
enum Done {
    Read(Result<Run, GuestError>),
    Other(Result<(), GuestError>),
}

impl File {
    pub(super) fn new(handle: Handle) -> Self {
        Self {
            handle,
            read: Run::default(),
            taken: 0,
            next: None,
            in_turn: false,
            job: None,
            seek_to: None,
            unflushed: false,
        }
    }

    /// The agent's number for the open file, 1000 or more.
    #[must_use]
    pub fn handle(&self) -> i64 {
        self.handle.number()
    }

    /// Completes the last write and closes the file.
    ///
    /// # Errors
    ///
    /// When the last write or the close has failed, as on a full disk. If the close did not reach the agent, the next
    /// operation on the guest closes the file.
    ///
    /// # Cancel safety
    ///
    /// The last write and the close are still carried out, unless the runtime ends before. Nobody is told if they fail.
    pub async fn close(mut self) -> Result<(), GuestError> {
        let worked = poll_fn(|cx| self.poll_job(cx)).await;
        let closed = self.handle.close().await;
        worked.and(closed)
    }

    /// What was read and not yet taken.
    pub(super) fn unread(&self) -> &[u8] {
        self.read.bytes.get(self.taken..).unwrap_or_default()
    }

    /// How many bytes the agent is ahead of the caller.
    pub(super) fn ahead(&self) -> usize {
        let next = self.next.as_ref().and_then(|next| next.as_ref().ok());
        let next = next.map_or(0, |run| run.bytes.len());
        self.unread().len().saturating_add(next)
    }

    /// Takes what was read.
    pub(super) fn take(&mut self, bytes: usize) {
        self.taken = self.taken.saturating_add(bytes);
    }

    /// Whether the reading ran into the file's end; told once.
    pub(super) fn take_end(&mut self) -> bool {
        std::mem::take(&mut self.read.end)
    }

    /// Turns to the run after the one that was taken. Whether it was there.
    pub(super) fn turn(&mut self) -> Result<bool, GuestError> {
        self.in_turn |= !self.read.bytes.is_empty();
        (self.read, self.taken) = (Run::default(), 0);
        let Some(next) = self.next.take() else {
            return Ok(false);
        };
        self.read = next?;
        Ok(true)
    }

    /// Forgets what was read ahead; the next read or write is where the caller believes to be.
    pub(super) fn forget_read(&mut self) {
        let ahead = self.ahead() as u64;
        if let (Some(position), 1..) = (self.handle.position, ahead) {
            self.handle.position = Some(position.saturating_sub(ahead));
            self.handle.astray = true;
        }
        (self.read, self.taken) = (Run::default(), 0);
        (self.next, self.in_turn) = (None, false);
    }

    /// Has the agent read the next run while the caller is busy with this one. Not where the file
    /// stands wherever the agent has it: nothing that was read could be given back.
    pub(super) fn read_ahead(&mut self) {
        let idle = self.job.is_none() && self.next.is_none();
        if self.in_turn && idle && !self.read.end && self.handle.position.is_some() {
            self.start_read();
        }
    }

    pub(super) fn start_read(&mut self) {
        let mut handle = self.handle.clone();
        self.spawn(true, async move {
            let run = handle.read().await;
            (handle, Done::Read(run))
        });
    }

    pub(super) fn start_write(&mut self, bytes: Vec<u8>) {
        self.unflushed = true;
        let mut handle = self.handle.clone();
        self.spawn(false, async move {
            let result = handle.write(&bytes).await;
            (handle, Done::Other(result))
        });
    }

    pub(super) fn start_flush(&mut self) {
        let mut handle = self.handle.clone();
        self.spawn(false, async move {
            let result = handle.flush().await;
            (handle, Done::Other(result))
        });
    }

    pub(super) fn start_seek(&mut self, to: SeekFrom) {
        let mut handle = self.handle.clone();
        self.spawn(false, async move {
            let result = handle.seek(to).await;
            (handle, Done::Other(result.map(drop)))
        });
    }

    fn spawn(&mut self, reads: bool, work: impl Future<Output = (Handle, Done)> + Send + 'static) {
        let task = tokio::spawn(work);
        self.job = Some(Job { task, reads });
    }

    /// Ready when nothing is under way.
    pub(super) fn poll_job(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), GuestError>> {
        let Some(job) = &mut self.job else {
            return Poll::Ready(Ok(()));
        };
        let ended = ready!(Pin::new(&mut job.task).poll(cx));
        self.job = None;
        let (handle, done) = ended.map_err(|_| GuestError::Stopped)?;
        self.handle = handle;
        match done {
            Done::Read(run) => self.next = Some(run),
            Done::Other(result) => result?,
        }
        Poll::Ready(Ok(()))
    }
}

impl Drop for File {
    fn drop(&mut self) {
        if let Some(job) = self.job.take()
            && job.reads
        {
            job.task.abort();
        }
    }
}

impl fmt::Debug for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("File")
            .field("handle", &self.handle.number())
            .field("position", &self.handle.position)
            .finish_non_exhaustive()
    }
}
