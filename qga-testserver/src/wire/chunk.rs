//! Reading what has arrived, without a buffer while nothing has.

use std::cell::Cell;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::ready;

use tokio::io::{AsyncRead, ReadBuf};

/// The most bytes that are read at once.
pub(crate) const CHUNK: usize = 64 << 10;

thread_local! {
    /// What all agents of a thread read into, so that thousands of idle ones need no room.
    static ROOM: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Reads up to `most` bytes. None mean the end of the stream.
///
/// # Cancel safety
///
/// After the future is dropped, nothing was read.
pub(crate) async fn read_chunk(
    stream: &mut (impl AsyncRead + Unpin + ?Sized),
    most: usize,
) -> io::Result<Vec<u8>> {
    let mut stream = Pin::new(stream);
    poll_fn(|context| {
        let mut room = ROOM.take();
        room.resize(CHUNK, 0);
        let mut unread = ReadBuf::new(room.get_mut(..most).unwrap_or_default());
        let polled = stream.as_mut().poll_read(context, &mut unread);
        let bytes = unread.filled().to_vec();
        ROOM.set(room);
        ready!(polled)?;
        Ok(bytes).into()
    })
    .await
}
