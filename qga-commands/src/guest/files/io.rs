//! A file as the streams of tokio.

use std::io::{Result, SeekFrom};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncSeek, AsyncWrite, ReadBuf};

use super::File;

/// Dropping the future of a read loses no bytes.
impl AsyncRead for File {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<Result<()>> {
        let file = self.get_mut();
        if buf.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        loop {
            let unread = file.unread();
            if let Some(bytes) = unread.get(..unread.len().min(buf.remaining()))
                && !bytes.is_empty()
            {
                buf.put_slice(bytes);
                let count = bytes.len();
                file.take(count);
                file.read_ahead();
                return Poll::Ready(Ok(()));
            }
            if file.take_end() {
                return Poll::Ready(Ok(()));
            }
            ready!(file.poll_job(cx))?;
            if !file.turn()? {
                file.start_read();
            }
        }
    }
}

/// A write takes up to 256 KiB, or less where the channel carries less, and goes on by itself.
impl AsyncWrite for File {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<Result<usize>> {
        let file = self.get_mut();
        ready!(file.poll_job(cx))?;
        file.forget_read();
        let bytes = buf.get(..file.handle.write_chunk()).unwrap_or(buf);
        if bytes.is_empty() {
            return Poll::Ready(Ok(0));
        }
        file.start_write(bytes.to_vec());
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let file = self.get_mut();
        ready!(file.poll_job(cx))?;
        if std::mem::take(&mut file.unflushed) {
            file.start_flush();
        }
        ready!(file.poll_job(cx))?;
        Poll::Ready(Ok(()))
    }

    /// As a flush; [`File::close`] closes.
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.poll_flush(cx)
    }
}

impl AsyncSeek for File {
    fn start_seek(self: Pin<&mut Self>, to: SeekFrom) -> Result<()> {
        self.get_mut().seek_to = Some(to);
        Ok(())
    }

    fn poll_complete(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<u64>> {
        let file = self.get_mut();
        if let Err(error) = ready!(file.poll_job(cx)) {
            file.seek_to = None;
            return Poll::Ready(Err(error.into()));
        }
        if let Some(to) = file.seek_to.take() {
            let to = file.absolute(to)?;
            file.start_seek(to);
            ready!(file.poll_job(cx))?;
        }
        let unread = file.ahead() as u64;
        let position = file.handle.position.unwrap_or_default();
        Poll::Ready(Ok(position.saturating_sub(unread)))
    }
}

impl File {
    /// Where to seek to in the agent, which may have read ahead; what was read ahead is forgotten.
    fn absolute(&mut self, to: SeekFrom) -> Result<SeekFrom> {
        let invalid = || std::io::Error::from(std::io::ErrorKind::InvalidInput);
        let ahead = i64::try_from(self.ahead()).map_err(|_| invalid())?;
        self.forget_read();
        match (to, self.handle.position) {
            (SeekFrom::Current(offset), Some(position)) => {
                let to = position.checked_add_signed(offset);
                Ok(SeekFrom::Start(to.ok_or_else(invalid)?))
            }
            (SeekFrom::Current(offset), None) => {
                let offset = offset.checked_sub(ahead).ok_or_else(invalid)?;
                Ok(SeekFrom::Current(offset))
            }
            (to, _) => Ok(to),
        }
    }
}
