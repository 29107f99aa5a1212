//! A new file that is written in the background.

use std::fs::File;
use std::io::{self, Seek, Write};
#[cfg(target_os = "linux")]
use std::num::NonZeroU64;
use std::sync::Arc;

use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::task::JoinHandle;

use super::blocking;
use super::folder::{set, sync};
use crate::guest::copy::checksum::sha256;
use crate::guest::copy::entry::Meta;

/// How many pieces may wait for the disk.
const ROOM: usize = 6;
/// With so little room left no more are asked for, as two may be on their way.
const ENOUGH: usize = 3;

/// How much is written to a file before the kernel is asked to bring it to the disk, in bytes.
const BATCH: u64 = 2 << 20;

/// What is kept as long as somebody writes to a file.
pub(super) type Held = Arc<dyn Send + Sync>;

pub(in crate::guest::copy) struct Sink {
    pieces: Option<Sender<Piece>>,
    task: JoinHandle<io::Result<File>>,
}

enum Piece {
    Bytes(Vec<u8>),
    /// What was written is worth nothing.
    Again,
}

/// What is known of a file that is whole.
pub(in crate::guest::copy) struct Finished {
    /// Its SHA-256 checksum, if that was wanted.
    pub(in crate::guest::copy) sum: Option<String>,
    /// Whether it is on the disk.
    pub(in crate::guest::copy) synced: bool,
}

impl Sink {
    pub(in crate::guest::copy) fn create(
        create: impl FnOnce() -> io::Result<(File, Held)> + Send + 'static,
    ) -> Self {
        let (pieces, received) = mpsc::channel(ROOM);
        Self {
            pieces: Some(pieces),
            task: tokio::spawn(write(create, received)),
        }
    }

    /// Takes a chunk; whether there is room for more than what is on its way.
    pub(in crate::guest::copy) fn push(&self, chunk: Vec<u8>) -> bool {
        let Some(pieces) = &self.pieces else {
            return false;
        };
        pieces.try_send(Piece::Bytes(chunk)).is_ok() && pieces.capacity() > ENOUGH
    }

    /// Begins anew, with nothing written.
    pub(in crate::guest::copy) async fn begin_again(&mut self) -> io::Result<()> {
        self.room().await?;
        if let Some(pieces) = &self.pieces
            && pieces.send(Piece::Again).await.is_err()
        {
            self.end().await?;
        }
        Ok(())
    }

    /// Waits until there is room again, or fails as the disk did.
    pub(in crate::guest::copy) async fn room(&mut self) -> io::Result<()> {
        if let Some(pieces) = &self.pieces
            && pieces.reserve_many(ENOUGH + 1).await.is_err()
        {
            self.end().await?;
        }
        Ok(())
    }

    /// Waits until all is written, and makes it what it is to be, on the disk.
    pub(in crate::guest::copy) async fn finish(
        mut self,
        meta: Option<Meta>,
        sum: bool,
    ) -> io::Result<Finished> {
        let file = self.end().await?;
        blocking(move || {
            let sum = if sum {
                Some(sha256(&file, u64::MAX)?)
            } else {
                None
            };
            meta.map_or(Ok(()), |meta| set(&file, meta))?;
            let synced = sync(&file)?;
            Ok(Finished { sum, synced })
        })
        .await
    }

    async fn end(&mut self) -> io::Result<File> {
        self.pieces = None;
        let ended = (&mut self.task).await;
        ended.unwrap_or_else(|_| Err(io::Error::other("the runtime has ended")))
    }
}

async fn write(
    create: impl FnOnce() -> io::Result<(File, Held)> + Send + 'static,
    mut pieces: Receiver<Piece>,
) -> io::Result<File> {
    let (mut file, _held) = blocking(create).await?;
    let mut pending = 0;
    while let Some(piece) = pieces.recv().await {
        (file, pending) = blocking(move || {
            match piece {
                Piece::Bytes(bytes) => {
                    file.write_all(&bytes)?;
                    pending += bytes.len() as u64;
                }
                Piece::Again => {
                    file.set_len(0)?;
                    file.rewind()?;
                    pending = 0;
                }
            }
            if pending >= BATCH {
                begin_to_store(&mut file, pending);
                pending = 0;
            }
            Ok((file, pending))
        })
        .await?;
    }
    Ok(file)
}

/// Asks the kernel to begin to bring to the disk what was written last, so that there is little left to wait for at the
/// end.
#[cfg(target_os = "linux")]
fn begin_to_store(file: &mut File, length: u64) {
    use rustix::fs::{Advice, fadvise};

    if let Ok(end) = file.stream_position() {
        let start = end.saturating_sub(length);
        let length = NonZeroU64::new(length);
        // Whoever does not take the advice brings it to the disk at the end.
        let _ = fadvise(&*file, start, length, Advice::DontNeed);
    }
}

#[cfg(not(target_os = "linux"))]
fn begin_to_store(_: &mut File, _: u64) {}
