//! What has arrived, until it is a whole packet.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt};

use crate::wire::packet;
use crate::wire::xdr::Malformed;

/// How much is read at once.
const CHUNK: usize = 64 << 10;

/// Bytes of which the first packet is not whole.
#[derive(Default)]
pub(super) struct Inbox {
    bytes: Vec<u8>,
    /// How much of them was taken. It is dropped once for each read, as there may be very many packets in one.
    taken: usize,
}

impl Inbox {
    /// Reads some bytes; none mean the end.
    ///
    /// # Cancel safety
    ///
    /// After the future is dropped, nothing was read.
    pub(super) async fn fill(
        &mut self,
        stream: &mut (impl AsyncRead + Unpin),
    ) -> io::Result<usize> {
        drop(self.bytes.drain(..self.taken));
        self.taken = 0;
        if self.bytes.is_empty() && self.bytes.capacity() > 2 * CHUNK {
            self.bytes = Vec::new();
        }
        self.bytes.reserve(CHUNK);
        stream.read_buf(&mut self.bytes).await
    }

    /// The next packet, once it is whole.
    pub(super) fn next(&mut self) -> Result<Option<Vec<u8>>, Malformed> {
        let rest = self.bytes.get(self.taken..).unwrap_or_default();
        let Some(length) = packet::length(rest)? else {
            return Ok(None);
        };
        let Some(packet) = rest.get(..length) else {
            return Ok(None);
        };
        self.taken += length;
        Ok(Some(packet.to_vec()))
    }
}
