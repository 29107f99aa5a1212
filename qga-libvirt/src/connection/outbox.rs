//! What is still to be written, and how much of it was.

use std::io;

use tokio::io::{AsyncWrite, AsyncWriteExt};

/// How many bytes may have been written that are still kept.
const CHUNK: usize = 64 << 10;

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
            self.before = self.written();
            self.bytes = Vec::new();
            self.start = 0;
        } else if self.start >= CHUNK {
            // It may never be empty, if more comes whenever a part was written.
            self.before = self.written();
            drop(self.bytes.drain(..self.start));
            self.start = 0;
        }
        Ok(())
    }
}

fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt as _;

    use super::*;

    #[tokio::test]
    async fn what_was_written_is_not_kept_though_the_outbox_never_is_empty() {
        let (mut ours, mut theirs) = tokio::io::duplex(50_000);
        let mut outbox = Outbox::default();
        let packet = vec![7; 60_000];
        let (mut pushed, mut read) = (0, 0);
        for _ in 0..100 {
            pushed += 60_000;
            assert_eq!(outbox.push(&packet), pushed);
            while pushed - outbox.written() > 50_000 {
                outbox.write(&mut ours).await.unwrap();
                let mut bytes = vec![0; 50_000];
                read += u64::try_from(theirs.read(&mut bytes).await.unwrap()).unwrap();
                assert_eq!(outbox.written(), read);
            }
            assert!(!outbox.is_empty());
            assert!(outbox.bytes.len() <= 300_000, "{}", outbox.bytes.len());
        }
    }
}
