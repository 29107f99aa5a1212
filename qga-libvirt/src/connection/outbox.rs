//! What is still to be written, and how much of it was.

use std::io;

use tokio::io::{AsyncWrite, AsyncWriteExt};

/// Packets on their way out. Places are counted from the beginning of the connection.
#[derive(Default)]
pub(super) struct Outbox {
    bytes: Vec<u8>,
    /// How much of them was written.
    start: usize,
    /// How much was written before them.
    before: u64,
}

impl Outbox {
    /// Adds a packet. Where it ends is returned.
    pub(super) fn push(&mut self, packet: &[u8]) -> u64 {
        self.bytes.extend_from_slice(packet);
        self.before + length(&self.bytes)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.start == self.bytes.len()
    }

    /// Up to where all is written.
    pub(super) fn written(&self) -> u64 {
        self.before + u64::try_from(self.start).unwrap_or(u64::MAX)
    }

    /// Writes some bytes.
    ///
    /// # Cancel safety
    ///
    /// After the future is dropped, nothing was written.
    pub(super) async fn write(&mut self, stream: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
        let unwritten = self.bytes.get(self.start..).unwrap_or_default();
        let count = stream.write(unwritten).await?;
        if count == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        self.start += count;
        if self.is_empty() {
            self.before += length(&self.bytes);
            self.bytes = Vec::new();
            self.start = 0;
        }
        Ok(())
    }
}

fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}
