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
        if self.bytes.is_empty() && self.bytes.capacity() > 2 * CHUNK {
            self.bytes = Vec::new();
        }
        self.bytes.reserve(CHUNK);
        stream.read_buf(&mut self.bytes).await
    }

    /// The next packet, once it is whole.
    pub(super) fn next(&mut self) -> Result<Option<Vec<u8>>, Malformed> {
        match packet::length(&self.bytes)? {
            Some(length) if length <= self.bytes.len() => {
                let rest = self.bytes.split_off(length);
                Ok(Some(std::mem::replace(&mut self.bytes, rest)))
            }
            _ => Ok(None),
        }
    }
}
