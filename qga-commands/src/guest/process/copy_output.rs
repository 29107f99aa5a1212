//! A child's output, passed on while it runs.

use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::task::Poll;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{Child, ExitStatus};

/// As much is passed on at once, in bytes.
const CHUNK: usize = 64 * 1024;

impl Child {
    /// Copies the child's standard output and standard error to two writers while it runs, and waits until it has ended.
    /// A stream that was taken is left out.
    ///
    /// ```no_run
    /// # async fn example(guest: qga_commands::Guest) -> Result<(), Box<dyn std::error::Error>> {
    /// let (mut log, mut errors) = (Vec::new(), Vec::new()); // or tokio::io::stdout() and stderr()
    /// let mut child = guest.command("apt-get").args(["-y", "upgrade"]).spawn().await?;
    /// let status = child.copy_output(&mut log, &mut errors).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// This takes as long as the program runs, and there is no limit to its output. Where that matters, put
    /// `tokio::time::timeout` around it, and [kill](Child::kill) the child when the time is up.
    ///
    /// # Errors
    ///
    /// When a writer fails, and when the output or the end of the program cannot be learned. For the latter,
    /// [`io::Error::get_ref`] returns the [`GuestError`](crate::GuestError). The program is left running.
    ///
    /// # Cancel safety
    ///
    /// Output that was read and not yet written is lost. The program runs on.
    pub async fn copy_output<O, E>(
        &mut self,
        stdout: &mut O,
        stderr: &mut E,
    ) -> io::Result<ExitStatus>
    where
        O: AsyncWrite + Unpin + ?Sized,
        E: AsyncWrite + Unpin + ?Sized,
    {
        let out = copy(self.stdout.as_mut(), stdout);
        let err = copy(self.stderr.as_mut(), stderr);
        both(pin!(out), pin!(err)).await?;
        Ok(self.wait().await?)
    }
}

/// Does both at once, until one of them fails.
async fn both(
    mut first: Pin<&mut impl Future<Output = io::Result<()>>>,
    mut second: Pin<&mut impl Future<Output = io::Result<()>>>,
) -> io::Result<()> {
    let (mut first_done, mut second_done) = (false, false);
    poll_fn(move |cx| {
        first_done = first_done || first.as_mut().poll(cx)?.is_ready();
        second_done = second_done || second.as_mut().poll(cx)?.is_ready();
        if first_done && second_done {
            Poll::Ready(Ok(()))
        } else {
            Poll::Pending
        }
    })
    .await
}

async fn copy<W: AsyncWrite + Unpin + ?Sized>(
    reader: Option<&mut (impl AsyncRead + Unpin)>,
    writer: &mut W,
) -> io::Result<()> {
    let Some(reader) = reader else {
        return Ok(());
    };
    let mut buffer = vec![0; CHUNK];
    loop {
        let mut read = ReadBuf::new(&mut buffer);
        poll_fn(|cx| Pin::new(&mut *reader).poll_read(cx, &mut read)).await?;
        let mut left = read.filled();
        if left.is_empty() {
            return Ok(());
        }
        while !left.is_empty() {
            let count = poll_fn(|cx| Pin::new(&mut *writer).poll_write(cx, left)).await?;
            left = match left.get(count..) {
                Some(rest) if count > 0 => rest,
                _ => return Err(io::ErrorKind::WriteZero.into()),
            };
        }
        // Somebody may be looking on.
        poll_fn(|cx| Pin::new(&mut *writer).poll_flush(cx)).await?;
    }
}
