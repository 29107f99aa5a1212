//! Writing many chunks, each of which is encoded while the agent still writes the one before.
//!
//! No more than one of them is with the agent: behind a port, it loses replies to more. So all that lies between a reply
//! and the next request is time in which the agent has nothing to do.

use std::sync::Arc;

use qga_core::QgaCommand as _;
use tokio::time::Instant;

use super::{Handle, MAX_REPAIRS, TURN, miscounted};
use crate::commands::file::{FileWrite, GuestFileWrite};
use crate::guest::GuestError;
use crate::guest::admission::{Admission, TRIES};

impl Handle {
    /// Writes as many of these bytes as a turn has time for, at least a chunk, and tells of each chunk how many they were.
    /// The file has to be one that is not appended to.
    pub(in crate::guest) async fn write_run(
        &mut self,
        bytes: &[u8],
        mut wrote: impl FnMut(usize) + Send,
    ) -> Result<usize, GuestError> {
        let mut lost = 0;
        loop {
            let returned = self.return_from_astray().await;
            returned.map_err(|error| match lost {
                0 => error,
                _ => error.after_maybe_run(),
            })?;
            let mut count = 0;
            let mut told = |more| {
                count += more;
                wrote(more);
            };
            match self.try_write_run(bytes, &mut told).await {
                // What is there is good; the failure shows itself again, or passes.
                Err(error) if count > 0 && self.may_repair(&error) => return Ok(count),
                Err(error) if self.may_repair(&error) && lost < MAX_REPAIRS => lost += 1,
                Err(error) if lost > 0 => return Err(error.after_maybe_run()),
                Err(error) => return Err(error),
                Ok(()) => return Ok(count),
            }
        }
    }

    async fn try_write_run(
        &mut self,
        bytes: &[u8],
        wrote: &mut (impl FnMut(usize) + Send),
    ) -> Result<(), GuestError> {
        for _ in 0..TRIES {
            self.open.guest.before(FileWrite::NAME).await?;
            let admission = self.open.guest.admit(&self.open.file).await?;
            if self.write_within(&admission, bytes, wrote).await? {
                return Ok(());
            }
        }
        // It counts again how often the contact ends.
        self.write(bytes.get(..self.write_chunk()).unwrap_or(bytes))
            .await?;
        wrote(bytes.len().min(self.write_chunk()));
        Ok(())
    }

    /// Writes in one contact with the agent, which must be the one that has the file open. Whether anything was written; if
    /// not, the contact had ended before anything was sent.
    async fn write_within(
        &mut self,
        admission: &Admission,
        bytes: &[u8],
        wrote: &mut (impl FnMut(usize) + Send),
    ) -> Result<bool, GuestError> {
        let open = Arc::clone(&self.open);
        let (number, most, start) = (self.number(), self.write_chunk(), Instant::now());
        let chunk = move |at: usize| {
            let rest = bytes.get(at..).unwrap_or_default();
            rest.get(..most).unwrap_or(rest)
        };
        let places = (0..bytes.len()).step_by(most);
        let mut sent = places.clone();
        let writes = places
            .take_while(move |_| start.elapsed() < TURN)
            .map(move |at| FileWrite::new(number, chunk(at)));
        let mut counts = admission.client().pipeline(writes);
        let mut has_written = false;
        loop {
            // Until the reply is here, nobody knows where the file stands.
            let was_astray = std::mem::replace(&mut self.astray, true);
            let (Some(written), Some(at)) = (counts.next().await, sent.next()) else {
                self.astray = was_astray;
                return Ok(has_written);
            };
            let length = chunk(at).len();
            let written = match written {
                Ok(written) => written,
                Err(error) if admission.refused(&error) => {
                    self.astray = was_astray;
                    return Ok(has_written);
                }
                Err(error) => {
                    drop(counts);
                    open.check_known(&error).await?;
                    return Err(open.guest.explain(FileWrite::NAME, error));
                }
            };
            if admission.has_ended() {
                // Another agent may have sent it.
                drop(counts);
                let admitted = open.guest.admit(&open.file).await;
                admitted.map_err(GuestError::after_maybe_run)?;
                let noted = self.note(&written, length, wrote);
                self.astray = true;
                return noted.map(|_| true);
            }
            has_written = true;
            if !self.note(&written, length, wrote)? {
                return Ok(true);
            }
        }
    }

    /// Moves on by what was written of so many bytes. Whether that was all of them.
    fn note(
        &mut self,
        written: &GuestFileWrite,
        length: usize,
        wrote: &mut impl FnMut(usize),
    ) -> Result<bool, GuestError> {
        let count = usize::try_from(written.count).ok();
        let count = count.filter(|count| (1..=length).contains(count));
        let count = count.ok_or_else(|| miscounted(written.count, length))?;
        self.advance(count);
        wrote(count);
        // What follows may be on its way already, and is then written again where it belongs.
        self.astray = count < length;
        Ok(count == length)
    }
}
