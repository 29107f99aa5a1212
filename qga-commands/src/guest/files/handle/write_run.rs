//! Writing many bytes to an open file, with requests written ahead.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use qga_core::{Error, QgaCommand};

use super::{Handle, MAX_REPAIRS};
use crate::commands::file::GuestFileWrite;
use crate::guest::GuestError;
use crate::guest::admission::{Admission, TRIES};

/// [`FileWrite`](crate::commands::file::FileWrite) of bytes that are somebody else's.
#[derive(Clone, Copy, QgaCommand)]
#[qga(
    name = "guest-file-write",
    response = GuestFileWrite,
    check = "where the file stands, with a seek by 0 from there",
    secret_reply
)]
struct Write<'a> {
    handle: i64,
    #[qga(rename = "buf-b64", base64)]
    data: &'a [u8],
}

/// What is told of each piece that is written, in bytes.
type Wrote<'a> = &'a mut (dyn FnMut(usize) + Send);

impl Handle {
    /// Writes these bytes, all of them.
    pub(in crate::guest) async fn write(&mut self, bytes: &[u8]) -> Result<(), GuestError> {
        self.write_run(bytes, &mut |_| ()).await
    }

    /// Writes these bytes, all of them, and tells how many more are written whenever some are. Where it is known where
    /// the file stands, the next request is on its way while the agent writes; one that it carries out although the one
    /// before has failed writes elsewhere in the file.
    pub(in crate::guest) async fn write_run(
        &mut self,
        bytes: &[u8],
        wrote: Wrote<'_>,
    ) -> Result<(), GuestError> {
        let mut left = bytes;
        let mut lost = 0;
        while !left.is_empty() {
            let returned = self.return_from_astray().await;
            returned.map_err(|error| match lost {
                0 => error,
                _ => error.after_maybe_run(),
            })?;
            let mut done = 0;
            let mut wrote_more = |count| {
                done += count;
                wrote(count);
            };
            let result = self.try_to_write(left, &mut wrote_more).await;
            left = left.get(done..).unwrap_or_default();
            if done > 0 {
                lost = 0;
            }
            match result {
                Ok(()) => {}
                Err(error)
                    if matches!(error, GuestError::Command(_))
                        && !self.append
                        && self.may_repair(&error)
                        && lost < MAX_REPAIRS =>
                {
                    lost += 1;
                }
                Err(error) if lost > 0 => return Err(error.after_maybe_run()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Writes from where the file stands, as far as it goes.
    async fn try_to_write(&mut self, bytes: &[u8], wrote: Wrote<'_>) -> Result<(), GuestError> {
        let open = Arc::clone(&self.open);
        let mut tries = 0;
        loop {
            tries += 1;
            open.guest.before(Write::NAME).await?;
            let admission = open.guest.admit(&open.file).await?;
            let written = self.write_within(&admission, bytes, wrote).await;
            match written {
                Err(Failure::Refused(_)) if tries < TRIES => {}
                Err(Failure::Refused(error) | Failure::Command(error)) => {
                    open.check_known(&error).await?;
                    return Err(open.guest.explain(Write::NAME, error));
                }
                Err(Failure::Other(error)) => return Err(error),
                Ok(()) => return Ok(()),
            }
        }
    }

    /// Writes in one contact with the agent, which must be the one that has the file open.
    async fn write_within(
        &mut self,
        admission: &Admission,
        bytes: &[u8],
        wrote: Wrote<'_>,
    ) -> Result<(), Failure> {
        let stop = AtomicBool::new(false);
        let writes = Writes {
            handle: self.number(),
            left: bytes,
            chunk: self.write_chunk(),
            stop: &stop,
        };
        let (chunk, mut unanswered) = (writes.chunk, bytes.len());
        // What goes to the file's end could not be written again at its place.
        let ahead = if self.position.is_some() { 2 } else { 1 };
        let mut results = admission.client().pipeline(writes).in_flight(ahead);
        self.astray = !self.append;
        let (mut any, mut late, mut is_off, mut end) = (false, 0, false, Ok(()));
        while let Some(result) = results.next().await {
            let length = chunk.min(unanswered);
            unanswered -= length;
            if stop.load(Ordering::Relaxed) {
                // It was written behind something that was not.
                is_off |= !result.is_err_and(|error| error.is_not_allowed());
                continue;
            }
            let written = match result {
                Ok(written) => counted(written.count, length).map_err(Failure::Other),
                Err(error) if admission.refused(&error) && any => Ok(0),
                Err(error) if admission.refused(&error) => Err(Failure::Refused(error)),
                Err(error) => Err(Failure::Command(error)),
            };
            let count = *written.as_ref().unwrap_or(&0);
            any |= count > 0;
            if late > 0 || admission.has_ended() {
                late += count;
            } else if count > 0 {
                self.advance(count);
                wrote(count);
            }
            stop.store(count < length, Ordering::Relaxed);
            is_off = matches!(written, Err(Failure::Command(_) | Failure::Other(_)));
            end = written.map(drop);
        }
        drop(results);
        if late > 0 {
            self.check_late().await?;
            self.advance(late);
            wrote(late);
        }
        self.astray = is_off && !self.append;
        end
    }

    /// Fails if another agent may have sent what came late.
    async fn check_late(&self) -> Result<(), Failure> {
        match self.open.guest.admit(&self.open.file).await {
            Err(error) if error.is_agent_gone() => Err(Failure::Other(error.after_maybe_run())),
            _ => Ok(()),
        }
    }
}

/// Requests for all bytes, until no more are wanted.
struct Writes<'a> {
    handle: i64,
    left: &'a [u8],
    chunk: usize,
    stop: &'a AtomicBool,
}

// Not made of closures, with whose lifetimes the compiler cannot prove that the future may change its thread.
impl<'a> Iterator for Writes<'a> {
    type Item = Write<'a>;

    fn next(&mut self) -> Option<Write<'a>> {
        if self.left.is_empty() || self.stop.load(Ordering::Relaxed) {
            return None;
        }
        let (data, left) = self.left.split_at(self.chunk.min(self.left.len()));
        self.left = left;
        Some(Write {
            handle: self.handle,
            data,
        })
    }
}

/// Why a run ends before its last byte.
enum Failure {
    /// The contact had ended before anything was sent.
    Refused(Error),
    Command(Error),
    Other(GuestError),
}

/// How many bytes are written, of those that were sent.
fn counted(count: i64, of: usize) -> Result<usize, GuestError> {
    let written = usize::try_from(count).ok();
    let written = written.filter(|written| (1..=of).contains(written));
    written.ok_or_else(|| {
        let text = format!("{count} bytes are said to be written, of {of} that were sent");
        GuestError::Unexpected(text.into())
    })
}
