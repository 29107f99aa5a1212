//! Files and whole trees copied into the guest and out of it.
//!
//! ```no_run
//! # async fn example(guest: qga_commands::Guest) -> Result<(), qga_commands::GuestError> {
//! guest.upload("site", "/srv/site").await?;
//! let copied = guest
//!     .download("/var/backups", "backups")
//!     .verify(true)
//!     .progress(|now| println!("{} of {} bytes: {}", now.bytes, now.total, now.file))
//!     .await?;
//! println!("{} files, {} skipped", copied.files, copied.skipped);
//! # Ok(())
//! # }
//! ```
//!
//! # What becomes of the target
//!
//! It is the exact path, as with `cp -T`. A file replaces a file that is there; a folder is copied only
//! to where nothing is, unless it is to [replace](Transfer::replace) what is there. Everything goes to a
//! fresh folder beside the target, which nobody else may enter, is written through to the disk, and is moved
//! to its place at the very end: a copy that breaks off leaves nothing behind that looks whole, also after a
//! power failure. What was made until then is removed, in the guest as far as the channel allows.
//!
//! Moving a file is one step: whoever opens the target finds the old file or the new one, whole. So is
//! moving a folder to where nothing is, and on a host with Linux also replacing one. In a guest, a folder that
//! is replaced is moved aside first, so for a moment there is nothing; if the host dies in that very moment, the
//! old one is left in a folder `.NAME.*.part` beside it, as it is if it cannot be removed. [`Copied::atomic`] tells
//! whether it was one step.
//!
//! Writing through costs on this host a few milliseconds for each file (eight at a time), and in the guest one `sync`
//! of the file, or of the filesystem that a tree lies on, which may take as long as it takes to write what
//! others have left unwritten there. [`Copied::synced`] tells whether it was done.
//!
//! # What is copied
//!
//! Files and folders, with the permissions of owner, group and others and with the time of their
//! last change in whole seconds. They belong to the user as whom the agent, or this program, runs. Bits
//! such as setuid are dropped, and holes become zeros. Links, pipes, sockets and devices below
//! the folder are neither opened nor copied, only [counted](Copied::skipped); a link that was named itself
//! is followed. Names have to be UTF-8, as the agent takes no others.
//!
//! # Files that change
//!
//! The tree is listed once, at the beginning. Of a file that grows, such as a log, what it had then is copied,
//! and it is [counted](Copied::grown). One that ends earlier than it was listed is an error. One that was
//! listed as empty is copied to its end, up to 64 MiB: those in `/proc` are made as they are read. So are those in
//! `/sys`, which are listed longer than they are. A file of the same length that somebody writes to
//! meanwhile is copied as it is read, the beginning old and the end new; [`verify`](Transfer::verify)
//! notices that.
//!
//! # What a guest may send
//!
//! A guest that lies cannot write outside the target: its names are looked at one by one, everything
//! goes to a fresh folder, and nothing is written through a link. It cannot send more than it has listed,
//! nor more than [`max_bytes`](Transfer::max_bytes), and not for ever: if fewer than 8 MiB (or 128 files)
//! are moved within ten minutes, the copy ends in [`GuestError::TooSlow`].
//!
//! # What others may do on this host
//!
//! On Unix, folders are held open, and what is in them is reached from there and never through a link, when it is
//! read as well as when it is written. If something else lies at a place than when it was listed, it is left
//! alone, and the copy fails. Elsewhere only what lies at each path is looked at before.
//!
//! # What the guest needs
//!
//! A POSIX shell with `find` and `stat`, GNU's, busybox's or BSD's, and the agent's leave to run it. A
//! guest without one, such as Windows, can have single files copied only: they come without permissions
//! and times, cannot be [verified](Transfer::verify), and an uploaded one is written in its place, so that a copy which
//! breaks off leaves a part of it there ([`Copied::atomic`] is false), and not
//! [written through](Copied::synced). What the shell is asked for is [here](crate::guest::scripts).
//!
//! # A channel that breaks
//!
//! A copy goes on where it was, also after the agent was started anew, if the client can open its
//! channel again. It gives up when eight attempts in a row, over some 25 seconds and what the commands
//! themselves take, have brought nothing.

mod checksum;
mod download;
mod entry;
mod guest_temp;
mod host;
mod listing;
mod names;
mod report;
mod stamp;
mod steps;
mod upload;
mod verify;

use std::fmt;
use std::future::IntoFuture;
use std::path::PathBuf;
use std::pin::Pin;
use std::time::Duration;

use qga_core::Execution;

use super::{Guest, GuestError, scripts};

pub use super::error::CopyFault;
pub use report::Progress;
use report::Report;

/// A copy that is to be made: await it. Made by [`Guest::upload`] and [`Guest::download`].
#[must_use = "nothing is copied until it is awaited"]
pub struct Transfer {
    guest: Guest,
    direction: Direction,
    local: PathBuf,
    remote: String,
    verify: bool,
    replace: bool,
    timeout: Option<Duration>,
    max_bytes: u64,
    report: Report,
}

#[derive(Clone, Copy, Debug)]
enum Direction {
    Upload,
    Download,
}

/// What was copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Copied {
    /// Files.
    pub files: u64,
    /// Folders, the one that was named included.
    pub folders: u64,
    /// Bytes in all files.
    pub bytes: u64,
    /// What was left out: links, pipes, sockets, devices.
    pub skipped: u64,
    /// Files that were longer in the end than when they were listed. The copies have what was there then.
    pub grown: u64,
    /// Whether the target has changed in one step, so that there was never a part of it, nor nothing in
    /// place of what was replaced.
    pub atomic: bool,
    /// Whether all of it was written through to the disk, so that it outlives a power failure. In a guest
    /// this needs a shell that has `sync`, or `fsync`; an agent by itself cannot do it. On a host it needs Unix.
    pub synced: bool,
}

impl Guest {
    /// Copies a file or a whole tree of this host to a path of the guest; see
    /// [`copy`](crate::guest::copy).
    pub fn upload(&self, local: impl Into<PathBuf>, remote: impl Into<String>) -> Transfer {
        Transfer::new(self, Direction::Upload, local.into(), remote.into())
    }

    /// Copies a file or a whole tree of the guest to a path of this host; see
    /// [`copy`](crate::guest::copy).
    pub fn download(&self, remote: impl Into<String>, local: impl Into<PathBuf>) -> Transfer {
        Transfer::new(self, Direction::Download, local.into(), remote.into())
    }
}

impl Transfer {
    fn new(guest: &Guest, direction: Direction, local: PathBuf, remote: String) -> Self {
        Self {
            guest: guest.clone(),
            direction,
            local,
            remote,
            verify: false,
            replace: false,
            timeout: None,
            max_bytes: 64 << 30,
            report: Report::default(),
        }
    }

    /// Whether to compare the SHA-256 checksum of every file at the end, before anything is moved to its
    /// place. A guest that has no program to make one (`sha256sum`, `shasum`, `sha256`, `openssl`), or no
    /// shell, is an error, and nothing is copied.
    pub fn verify(mut self, verify: bool) -> Self {
        self.verify = verify;
        self
    }

    /// Whether the target may replace whatever is there, a whole folder too. The old one stays until the new
    /// one is whole; see [what becomes of the target](crate::guest::copy#what-becomes-of-the-target).
    ///
    /// ```no_run
    /// # async fn example(guest: qga_commands::Guest) -> Result<(), qga_commands::GuestError> {
    /// guest.upload("dist", "/srv/site").replace(true).verify(true).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn replace(mut self, replace: bool) -> Self {
        self.replace = replace;
        self
    }

    /// Calls this with how far the copy is, after each piece of at most 256 KiB. It must not block.
    pub fn progress(mut self, progress: impl FnMut(&Progress<'_>) + Send + 'static) -> Self {
        self.report.call(Box::new(progress));
        self
    }

    /// How long the copy may take in all. As long as it takes unless set, if it goes on: 8 MiB, or 128 files,
    /// have to be moved in each ten minutes. Each command has the client's timeout in any case.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// How much may be copied, in bytes; 64 GiB unless set. There may be 100,000 files and folders, one
    /// within the other to a depth of 64.
    pub fn max_bytes(mut self, bytes: u64) -> Self {
        self.max_bytes = bytes;
        self
    }

    async fn run(mut self) -> Result<Copied, GuestError> {
        self.remote = scripts::path(self.remote)?;
        let (timeout, direction) = (self.timeout, self.direction);
        let remote = self.remote.clone();
        let copy = async {
            if self.verify {
                verify::check(&self.guest, &self.remote).await?;
            }
            match self.direction {
                Direction::Upload => upload::upload(self).await,
                Direction::Download => download::download(self).await,
            }
        };
        match timeout {
            None => copy.await,
            Some(timeout) => tokio::time::timeout(timeout, copy)
                .await
                .unwrap_or_else(|_| Err(late(timeout, direction, remote))),
        }
    }
}

fn late(timeout: Duration, direction: Direction, path: String) -> GuestError {
    GuestError::Copy {
        path,
        fault: Box::new(CopyFault::TimedOut(timeout)),
        execution: match direction {
            Direction::Upload => Execution::MaybeRun,
            Direction::Download => Execution::NotRun,
        },
    }
}

/// # Errors
///
/// [`GuestError::Copy`] with the path at fault, and [`GuestError::Command`] and its like for what
/// failed before it came to a file. Its [`execution`](GuestError::execution) is `NotRun` if nothing was
/// changed in the guest, as where a file of this host is missing.
///
/// # Cancel safety
///
/// When the future is dropped, nothing is at the target; what was copied until then is removed in the
/// background. In the last moment, when it is moved to its place, the target may be there, whole.
impl IntoFuture for Transfer {
    type Output = Result<Copied, GuestError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

impl fmt::Debug for Transfer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transfer")
            .field("direction", &self.direction)
            .field("local", &self.local)
            .field("remote", &self.remote)
            .finish_non_exhaustive()
    }
}
