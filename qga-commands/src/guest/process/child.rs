//! A program whose output is read while it runs.

use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, ReadBuf};
use tokio::runtime::Handle;

use super::ending::Ending;
use super::reader::{Reader, Source};
use super::{ExitStatus, Output, Process, ProcessToken};
use crate::guest::GuestError;

/// A program that was started by [`Command::spawn`](super::Command::spawn).
///
/// ```no_run
/// # async fn example(guest: qga_commands::Guest) -> Result<(), Box<dyn std::error::Error>> {
/// let mut child = guest.command("dmesg").arg("-w").kill_on_drop(true).spawn().await?;
/// if let Some(mut stdout) = child.stdout.take() {
///     let mut log = tokio::io::sink(); // or a tokio::fs::File
///     tokio::io::copy(&mut stdout, &mut log).await?;
/// }
/// let status = child.wait().await?;
/// # Ok(())
/// # }
/// ```
///
/// The program runs on when this is dropped, unless it is to be [killed](super::Command::kill_on_drop). Streams that were
/// taken before can still be read. While this client keeps the guest's filesystems frozen, reading and waiting fail with
/// [`GuestError::Frozen`]; after the thaw they work again.
#[derive(Debug)]
pub struct Child {
    /// Its standard output; take it to read it in another task.
    pub stdout: Option<ChildStdout>,
    /// Its standard error; take it to read it in another task.
    pub stderr: Option<ChildStderr>,
    ending: Arc<Ending>,
    kill: bool,
    runtime: Handle,
}

/// The standard output of a [`Child`].
///
/// At most 1 MiB is read at once. A read waits for more output by asking again, as [`Process::wait`] does, at least
/// once a second. The stream ends when the program has ended and everything is read. No bytes are lost when the future
/// of a read is dropped, and reading can go on after an error. When the stream is dropped, the next operation on the
/// guest closes its file.
#[derive(Debug)]
pub struct ChildStdout(Reader);

/// The standard error of a [`Child`]. It is read as [`ChildStdout`] is.
#[derive(Debug)]
pub struct ChildStderr(Reader);

impl Child {
    pub(super) fn new(process: Process, stdout: Source, stderr: Source, kill: bool) -> Self {
        let ending = Arc::new(Ending::new(process));
        Self {
            stdout: Some(ChildStdout(Reader::new(stdout, Arc::clone(&ending)))),
            stderr: Some(ChildStderr(Reader::new(stderr, Arc::clone(&ending)))),
            ending,
            kill,
            runtime: Handle::current(),
        }
    }

    /// The process's number in the guest.
    #[must_use]
    pub fn pid(&self) -> i64 {
        self.ending.pid()
    }

    /// What its end can be learned by later, by [`Guest::attach`](crate::Guest::attach), also from another program. The
    /// output is lost when this is dropped.
    #[must_use]
    pub fn token(&self) -> ProcessToken {
        self.ending.token()
    }

    /// Waits until the program has ended, whether or not its output is read. Later calls return the same status.
    ///
    /// # Errors
    ///
    /// As [`Process::wait`].
    ///
    /// # Cancel safety
    ///
    /// The future may be dropped, and nothing is lost.
    pub async fn wait(&mut self) -> Result<ExitStatus, GuestError> {
        self.ending.wait().await
    }

    /// Asks once whether the program has ended. `None` means that it still runs.
    ///
    /// # Errors
    ///
    /// As [`wait`](Self::wait).
    ///
    /// # Cancel safety
    ///
    /// As [`wait`](Self::wait).
    pub async fn try_wait(&mut self) -> Result<Option<ExitStatus>, GuestError> {
        self.ending.ask().await
    }

    /// Kills the program, as [`Process::kill`] does. [`wait`](Self::wait) then tells how it ended, and the streams end
    /// after what the program had written.
    ///
    /// # Errors
    ///
    /// As [`Process::kill`].
    ///
    /// # Cancel safety
    ///
    /// The process may have been killed.
    pub async fn kill(&mut self) -> Result<(), GuestError> {
        self.ending.kill().await
    }

    /// Reads both streams, except those that were taken, and waits until the program has ended.
    ///
    /// # Errors
    ///
    /// [`GuestError::TooMuchOutput`] as soon as one of the streams is longer than `limit` bytes. The program runs on
    /// then, unless it is to be [killed](super::Command::kill_on_drop). Otherwise as [`wait`](Self::wait), and as
    /// reading a file.
    ///
    /// # Cancel safety
    ///
    /// The output that was read so far is lost.
    pub async fn wait_with_output(mut self, limit: usize) -> Result<Output, GuestError> {
        let pid = self.pid();
        let stdout = self.stdout.take().map(|stream| stream.0);
        let stderr = self.stderr.take().map(|stream| stream.0);
        let mut out = pin!(collect(stdout, limit, pid));
        let mut err = pin!(collect(stderr, limit, pid));
        let (mut stdout, mut stderr) = (None, None);
        poll_fn(|cx| {
            if stdout.is_none()
                && let Poll::Ready(bytes) = out.as_mut().poll(cx)?
            {
                stdout = Some(bytes);
            }
            if stderr.is_none()
                && let Poll::Ready(bytes) = err.as_mut().poll(cx)?
            {
                stderr = Some(bytes);
            }
            if stdout.is_some() && stderr.is_some() {
                return Poll::Ready(Ok::<_, GuestError>(()));
            }
            Poll::Pending
        })
        .await?;
        Ok(Output {
            status: self.wait().await?,
            stdout: stdout.unwrap_or_default(),
            stderr: stderr.unwrap_or_default(),
            truncated: false,
        })
    }
}

async fn collect(reader: Option<Reader>, limit: usize, pid: i64) -> Result<Vec<u8>, GuestError> {
    let mut collected = Vec::new();
    let Some(mut reader) = reader else {
        return Ok(collected);
    };
    loop {
        let run = poll_fn(|cx| reader.poll_run(cx)).await;
        let run = run.map_err(|error| started(pid, error))?;
        if run.is_empty() {
            return Ok(collected);
        }
        if run.len() > limit.saturating_sub(collected.len()) {
            return Err(GuestError::TooMuchOutput { pid, limit });
        }
        collected.extend_from_slice(&run);
    }
}

/// The program was started, whatever became of the command that failed.
pub(super) fn started(pid: i64, error: GuestError) -> GuestError {
    match error {
        GuestError::Wait { .. } | GuestError::ResultLost { .. } => error,
        error if error.is_agent_gone() => error.after_maybe_run(),
        error => GuestError::Wait {
            pid,
            source: Box::new(error),
        },
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if self.kill && self.ending.status().is_none() {
            self.runtime.spawn(Arc::clone(&self.ending).abandon());
        }
    }
}

impl AsyncRead for ChildStdout {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.get_mut().0.poll_read(cx, buf)
    }
}

impl AsyncRead for ChildStderr {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.get_mut().0.poll_read(cx, buf)
    }
}
