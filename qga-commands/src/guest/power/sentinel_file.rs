//! A file that tells whether it is still the same agent that answers.

use std::hash::{BuildHasher, RandomState};
use std::io::SeekFrom;

use qga_core::{Client, Error};
use tokio::time::Instant;

use crate::backoff::after;
use crate::commands::file::{FileSeek, QgaSeek};
use crate::guest::files::{Handle, OpenOptions};
use crate::guest::{Guest, GuestError};
use crate::optional;

/// What is there in most guests, and can be set to a place, or in all of them.
const PATHS: [&str; 4] = ["/bin/sh", "/dev/null", r"C:\Windows\win.ini", "NUL"];

/// An open file of the guest that stands where nobody else would set one. An agent that was started since
/// does not know it, or by its number another file.
///
/// Dropped, it is closed before the next command, unless its agent is gone.
pub(super) struct SentinelFile {
    file: Handle,
    /// In bytes from the beginning; `None` for a file that cannot be set to a place.
    place: Option<u64>,
}

impl SentinelFile {
    /// Opens a file; `None` where the agent, or the client, does not let it, or the agent does not answer.
    /// It serves to know more afterwards, and what was asked for does not wait for it long.
    pub(super) async fn open(guest: &Guest) -> Option<Self> {
        let options = guest.client().options();
        let end = after(optional::time(guest.client()));
        for path in PATHS {
            let left = end.saturating_duration_since(Instant::now());
            let brief = Guest::new(guest.client().with_options(options.timeout(left)));
            match OpenOptions::new()
                .read(true)
                .open_handle(&brief, path)
                .await
            {
                Ok(file) => return Self::place(file).await,
                Err(error) if has_failed_there(&error) => {}
                Err(_) => return None,
            }
        }
        None
    }

    async fn place(mut file: Handle) -> Option<Self> {
        let place = RandomState::new().hash_one(()) >> 24;
        let place = match file.seek(SeekFrom::Start(place)).await {
            Ok(found) => Some(found).filter(|found| *found == place),
            Err(error) if has_failed_there(&error) => None,
            Err(_) => return None,
        };
        Some(Self { file, place })
    }

    /// The file has gone with its machine.
    pub(super) fn forget(&self) {
        self.file.forget();
    }

    /// Whether a file that is still there proves that it is the same agent, whatever else is told.
    pub(super) fn is_proof(&self) -> bool {
        self.place.is_some()
    }

    /// Whether the file is still there, in the same agent; an agent that does not know it has an error. This
    /// moves nothing, since another file may have its number by now.
    pub(super) async fn is_intact(&self, client: &Client) -> Result<bool, Error> {
        let seek = FileSeek::new(self.file.number(), 0, QgaSeek::Current);
        let found = client.execute(seek).await?.position;
        let place = self.place.map(i64::try_from);
        Ok(place.is_none_or(|place| place == Ok(found)))
    }
}

/// Whether the agent has tried, so that another file may do better.
fn has_failed_there(error: &GuestError) -> bool {
    let said = error.command_error().and_then(Error::agent_error);
    said.is_some_and(|said| !said.is_command_not_found())
}
