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
//! to where nothing is. Everything goes to a fresh folder beside the target, which nobody else may enter,
//! and is moved to its place at the very end: a copy that breaks off leaves nothing behind that looks
//! whole. What was made until then is removed, in the guest as far as the channel allows.
//!
//! # What is copied
//!
//! Files and folders, with the permissions of owner, group and others and with the time of their
//! last change in whole seconds. They belong to the user as whom the agent, or this program, runs. Bits
//! such as setuid are dropped. Links, pipes, sockets and devices below
//! the folder are neither opened nor copied, only [counted](Copied::skipped); a link that was named itself
//! is followed. A file that changes while it is copied is an error. Names have to be UTF-8, as the agent
//! takes no others.
//!
//! # What a guest may send
//!
//! A guest that lies cannot write outside the target: its names are looked at one by one, everything
//! goes to a fresh folder, and nothing is written through a link. It cannot send more than it has listed,
//! nor more than [`max_bytes`](Transfer::max_bytes).
//!
//! # What the guest needs
//!
//! A POSIX shell with `find` and `stat`, GNU's, busybox's or BSD's, and the agent's leave to run it. A
//! guest without one, such as Windows, can have single files copied only: they come without permissions
//! and times, cannot be [verified](Transfer::verify), and an uploaded one is written in its place, so that a copy which
//! breaks off leaves a part of it there ([`Copied::atomic`] is false).
//!
//! # A channel that breaks
//!
//! A copy goes on where it was, also after the agent was started anew, if the client can open its
//! channel again. It gives up when eight attempts in a row, over some 25 seconds and what the commands
//! themselves take, have brought nothing.

mod download;
mod fault;
mod guest_temp;
mod listing;
mod local;
mod names;
mod patience;
mod report;
mod shell;
mod stamp;
mod upload;
mod verify;
mod walk;

use std::fmt;
use std::future::IntoFuture;
use std::path::PathBuf;
use std::pin::Pin;
use std::time::Duration;

use super::{Guest, GuestError};

pub use fault::CopyFault;
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
    deadline: Option<Duration>,
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
    /// Whether the target was whole or absent all the time.
    pub atomic: bool,
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
            // A path that begins with a dash would be taken for an option.
            remote: match remote.strip_prefix('-') {
                Some(_) => format!("./{remote}"),
                None => remote,
            },
            verify: false,
            deadline: None,
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

    /// Calls this with how far the copy is, after each piece of at most 256 KiB. It must not block.
    pub fn progress(mut self, progress: impl FnMut(&Progress<'_>) + Send + 'static) -> Self {
        self.report.call(Box::new(progress));
        self
    }

    /// How long the copy may take in all. As long as it takes unless set; each command has the
    /// client's timeout in any case.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// How much may be copied, in bytes; 64 GiB unless set. There may be 100,000 files and folders, one
    /// within the other to a depth of 64.
    pub fn max_bytes(mut self, bytes: u64) -> Self {
        self.max_bytes = bytes;
        self
    }

    async fn run(self) -> Result<Copied, GuestError> {
        let deadline = self.deadline;
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
        match deadline {
            None => copy.await,
            Some(deadline) => tokio::time::timeout(deadline, copy)
                .await
                .unwrap_or_else(|_| Err(CopyFault::Deadline(deadline).at(remote))),
        }
    }
}

/// # Errors
///
/// [`GuestError::Copy`] with the path at fault, and [`GuestError::Command`] and its like for what
/// failed before it came to a file.
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
