//! Files of the guest, in the words of `tokio::fs`.
//!
//! ```no_run
//! # async fn example(guest: qga_commands::Guest) -> Result<(), Box<dyn std::error::Error>> {
//! use tokio::io::AsyncWriteExt;
//!
//! let name = guest.read_to_string("/etc/hostname").await?;
//!
//! let mut file = guest.create("/tmp/greeting").await?;
//! file.write_all(b"hello ").await?;
//! file.write_all(name.as_bytes()).await?;
//! file.close().await?;
//! # Ok(())
//! # }
//! ```
//!
//! # Memory and other tasks
//!
//! A file is read in runs of chunks, each run at most 1 MiB, with the next chunk asked for while one is
//! on its way. While the caller is busy with a run, the next one is read, once the caller has wanted two
//! in turn; so a file holds at most two. Between two runs, and between two writes, other tasks'
//! commands have their turn.
//!
//! # Lost replies
//!
//! After a reply to a read or a write is lost, the file is set back to where it stood and the work done
//! again, so that nothing is lost or doubled. What is written at a file's end
//! ([`OpenOptions::append`]) cannot be repaired so, and fails.

mod file;
pub(super) mod handle;
mod io;
mod open;
mod whole;

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

pub use file::File;
pub(super) use handle::{Handle, WRITE_CHUNK};
pub use open::OpenOptions;

/// Handles of files that were dropped without a close, to be closed by the next operation.
#[derive(Debug, Default)]
pub(super) struct Dropped(Mutex<VecDeque<i64>>);

impl Dropped {
    pub(super) fn push(&self, handle: i64) {
        self.lock().push_back(handle);
    }

    pub(super) fn take(&self) -> Option<i64> {
        self.lock().pop_front()
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<i64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
