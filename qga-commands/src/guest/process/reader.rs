//! A child's stream, read from its file while the child writes.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::ReadBuf;
use tokio::task::JoinHandle;

use super::ending::Ending;
use super::wait::Asking;
use crate::guest::files::{Handle, OpenOptions};
use crate::guest::{Guest, GuestError};

/// How many reads [`Source::read_into`] makes at once.
const RUN: usize = 4;

/// Reads a stream to its end.
pub(super) struct Reader {
    ending: Arc<Ending>,
    state: State,
    unread: Vec<u8>,
    taken: usize,
}

enum State {
    Idle(Source),
    /// In a task of its own: a reading that nobody polls must not hold the channel.
    Reading(JoinHandle<Outcome>),
    Ended,
    /// The runtime that read it has ended, which is no end of the stream.
    Stopped,
}

/// The file, unless the stream has ended, and what was read.
type Outcome = (Option<Source>, Result<Vec<u8>, GuestError>);

impl Reader {
    pub(super) fn new(source: Source, ending: Arc<Ending>) -> Self {
        Self {
            ending,
            state: State::Idle(source),
            unread: Vec::new(),
            taken: 0,
        }
    }

    pub(super) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if buf.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        if self.taken >= self.unread.len() {
            self.unread = Vec::new();
            self.unread = ready!(self.poll_run(cx))?;
            self.taken = 0;
        }
        let unread = self.unread.get(self.taken..).unwrap_or_default();
        let bytes = unread.get(..buf.remaining()).unwrap_or(unread);
        buf.put_slice(bytes);
        self.taken += bytes.len();
        Poll::Ready(Ok(()))
    }

    /// The next bytes; none at the end.
    pub(super) fn poll_run(&mut self, cx: &mut Context<'_>) -> Poll<Result<Vec<u8>, GuestError>> {
        let mut task = match std::mem::replace(&mut self.state, State::Ended) {
            State::Idle(source) => tokio::spawn(source.next(Arc::clone(&self.ending))),
            State::Reading(task) => task,
            State::Ended => return Poll::Ready(Ok(Vec::new())),
            State::Stopped => {
                self.state = State::Stopped;
                return Poll::Ready(Err(GuestError::Stopped));
            }
        };
        let Poll::Ready(read) = Pin::new(&mut task).poll(cx) else {
            self.state = State::Reading(task);
            return Poll::Pending;
        };
        let Ok((source, result)) = read else {
            self.state = State::Stopped;
            return Poll::Ready(Err(GuestError::Stopped));
        };
        self.state = source.map_or(State::Ended, State::Idle);
        Poll::Ready(result)
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        if let State::Reading(task) = &self.state {
            task.abort();
        }
    }
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader")
            .field("pid", &self.ending.pid())
            .finish_non_exhaustive()
    }
}

/// A stream's file, which is closed when this is dropped.
pub(super) struct Source(Handle);

impl Source {
    pub(super) async fn open(guest: &Guest, path: String) -> Result<Self, GuestError> {
        let mut options = OpenOptions::new();
        options.read(true).open_handle(guest, path).await.map(Self)
    }

    /// Adds the next bytes of the file, and says whether it ends there.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, what was read has been added.
    pub(super) async fn read_into(&mut self, bytes: &mut Vec<u8>) -> Result<bool, GuestError> {
        let take = |chunk: Vec<u8>| {
            bytes.extend_from_slice(&chunk);
            true
        };
        self.0.read_run(RUN, take).await
    }

    /// Closes the file where nothing hangs on that.
    pub(super) async fn close_quietly(&self) {
        self.0.close_quietly().await;
    }

    async fn next(mut self, ending: Arc<Ending>) -> Outcome {
        match self.more(&ending).await {
            Ok(bytes) if bytes.is_empty() => {
                // The bytes are there, whatever becomes of the handle.
                self.close_quietly().await;
                (None, Ok(bytes))
            }
            result => (Some(self), result),
        }
    }

    /// Waits for more bytes. There are none if the child had ended before the file was read.
    async fn more(&mut self, ending: &Arc<Ending>) -> Result<Vec<u8>, GuestError> {
        let guest = ending.guest();
        let (mut reading, mut asking) = (Asking::new(guest), Asking::new(guest));
        loop {
            let ended = ending.status().is_some();
            let run = reading.tolerate(self.0.read().await)?;
            if let Some(run) = run
                && (ended || !run.bytes.is_empty())
            {
                return Ok(run.bytes);
            }
            asking.pause().await;
            asking.tolerate(ending.ask().await)?;
        }
    }
}
