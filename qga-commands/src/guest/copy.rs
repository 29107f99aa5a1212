//! Copying files and whole trees into the guest and out of it.
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
//! The target is the exact path, as with `cp -T`. A file replaces a file that exists there. A folder is copied only if
//! nothing exists there, unless it is to [replace](Transfer::replace) what does.
//!
//! Everything is first copied to a new folder beside the target, which nobody else may enter, and is written through to
//! the disk. It is moved to its place at the very end. So a copy that breaks off leaves nothing at the target that looks
//! complete, not even after a power failure. What was copied until then is removed, in the guest as far as the channel
//! allows.
//!
//! A file is moved in one step: whoever opens the target finds either the whole old file or the whole new one. A folder
//! is also moved in one step if nothing was there, and on a host with Linux even if it replaces another. In a guest, a
//! folder that is replaced is first moved aside, so for a moment nothing is there. If the host dies in that very moment,
//! or the old folder cannot be removed, it is left in a folder `.NAME.*.part` beside the target. [`Copied::atomic`] tells
//! whether the target was changed in one step.
//!
//! Writing through to the disk takes a few milliseconds for each file on this host, eight files at a time. In the guest it
//! is one `sync` of the file, or of the filesystem of a tree. That may take long if other programs have left much
//! unwritten there. [`Copied::synced`] tells whether it was done.
//!
//! # What is copied
//!
//! Files and folders are copied, with the permissions of owner, group and others, and with the time of their last change
//! in whole seconds. The copies belong to the user as whom the agent, or this program, runs, unless
//! [`owner`](Transfer::owner) or [`preserve_owner`](Transfer::preserve_owner) says otherwise. Bits such as setuid are never
//! copied, whoever the owner is, and holes become zeros. Pipes, sockets and devices below the folder are neither opened nor copied, only
//! [counted](Copied::skipped). If the source itself is a link, it is followed. Names have to be UTF-8, as the agent takes
//! no others.
//!
//! Links below the folder are copied as links. What a link leads to is copied as it stands, be it absolute, above the
//! folder or not there at all, and nothing is ever read or written through it. So whoever follows a link in a tree that
//! came from a guest goes where the guest wants. The time of a link is not copied. In an upload, what a link leads to has
//! to be UTF-8. Links are skipped and [counted](Copied::skipped) on a host that is not Unix, and in a download from a guest
//! that has no program `readlink`.
//!
//! # Files that change
//!
//! The tree is listed once, at the beginning.
//!
//! - A file that grows afterwards, such as a log, is copied up to the length that was listed, and is
//!   [counted](Copied::grown).
//! - A file that turns out to be shorter than it was listed is an error. Files in `/sys` are an exception, since they are
//!   always listed longer than they are.
//! - A file that was listed as empty is copied to its end, up to 64 MiB, since the files in `/proc` are listed so.
//! - If somebody writes to a file while it is copied, and its length stays the same, the copy may begin with old bytes and
//!   end with new ones. [`verify`](Transfer::verify) notices that.
//!
//! # What a guest may send
//!
//! A hostile guest cannot make this host write outside the target: each name is checked, everything goes to a new folder,
//! and nothing is written through a link, be it there already or one that the guest sends. Of an archive that the guest
//! sends, only the contents of files are taken that were listed, and only if they are as long as they were listed. The
//! guest cannot send more than it has listed, nor more than [`max_bytes`](Transfer::max_bytes). Nor can it go on for ever:
//! if fewer than 8 MiB, or 128 files, are copied within ten minutes, the copy fails with [`GuestError::TooSlow`].
//!
//! # What others may do on this host
//!
//! On Unix, folders are kept open, and their entries are reached from there and never through a link, for reading as well
//! as for writing. If an entry is not the one that was listed, it is left alone and the copy fails. On other systems,
//! each path is only checked before it is used.
//!
//! # Many small files
//!
//! Files of up to 64 KiB go together, many by one program, if there are at least four of them and the guest has a `tar`.
//! So 1,000 small files take some ten programs, instead of some messages and a program for each file. Whatever comes out
//! otherwise than it was listed is copied once more by itself, and so are all files if the guest has no `tar`.
//!
//! # What the guest needs
//!
//! The guest needs a POSIX shell with the `find` and `stat` of GNU, busybox or BSD, and its agent must be allowed to run
//! it. Its `tar`, if it has one, is that of GNU, busybox or BSD too. The [scripts that it runs](crate::guest::scripts)
//! are documented.
//!
//! From and to a guest without a shell, such as Windows, only single files can be copied. They are copied without
//! permissions and times, and cannot be [verified](Transfer::verify). An uploaded file is written at its place directly,
//! so a copy that breaks off leaves a part of it there ([`Copied::atomic`] is false), and it is not
//! [written through](Copied::synced) to the disk.
//!
//! # Going on with a copy
//!
//! A copy that is to be [resumed](Transfer::resume) keeps what has arrived in a folder `.NAME.*.part` beside the target. The
//! folder is found again by the next copy of the same file or tree to the same target, and in an upload only from the same
//! host. What is there of a file is used only if its SHA-256 checksum is that of the beginning of the source: a file that is
//! whole is not copied again, one of which a part is there is gone on with, and any other is copied anew. Files, folders and
//! links that are there and not in the source are removed, and so are pipes, sockets and devices. Links are always made anew.
//! The folder is removed once the copy is at its place. If nobody goes on with it, you have to remove it.
//!
//! Only one process at a time goes on with such a folder; another one fails with [`CopyFault::Refused`]. For an upload this is
//! known by a locked file in the folder for temporary files of this host. Before an upload goes on, all that is there is copied
//! within the guest, which needs space for it, since the agent may still have it open for the earlier process.
//!
//! # A channel that breaks
//!
//! If the client can open its channel again, a copy goes on where it was, even after a restart of the agent. It fails after
//! eight attempts in a row without progress. The pauses between these take about 25 seconds in all.

mod bundle;
mod checksum;
mod download;
mod entry;
mod fetch_bundles;
mod finishing;
mod guest_temp;
mod host;
mod links;
mod listing;
mod lock;
mod names;
mod owner;
mod report;
mod resume;
mod send_bundles;
mod stamp;
mod steps;
mod upload;
mod ustar;
mod verify;

use std::fmt;
use std::future::IntoFuture;
use std::path::PathBuf;
use std::pin::Pin;
use std::time::Duration;

use qga_core::Execution;

use super::{Guest, GuestError, scripts};

pub use super::error::CopyFault;
use owner::Ownership;
pub use report::Progress;
use report::Report;

/// A copy that is to be made: await it. It is made by [`Guest::upload`] and [`Guest::download`].
#[must_use = "nothing is copied until it is awaited"]
pub struct Transfer {
    guest: Guest,
    direction: Direction,
    local: PathBuf,
    remote: String,
    verify: bool,
    replace: bool,
    ownership: Ownership,
    resume: bool,
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
    /// The number of files.
    pub files: u64,
    /// The number of folders, including the one that was named.
    pub folders: u64,
    /// The number of links. None of them was followed.
    pub links: u64,
    /// The number of bytes in all files.
    pub bytes: u64,
    /// The number of pipes, sockets and devices, which were not copied, and of links that could not be.
    /// See [what is copied](crate::guest::copy#what-is-copied).
    pub skipped: u64,
    /// The number of files that have grown since they were listed. Their copies have the length that was listed.
    pub grown: u64,
    /// The number of bytes that an earlier copy had left, which were not copied again; see [`Transfer::resume`].
    pub resumed: u64,
    /// Whether the target was changed in one step. If so, nobody has seen a part of it, nor a moment in which nothing was
    /// there instead of what was replaced.
    pub atomic: bool,
    /// Whether everything was written through to the disk, so that it survives a power failure. In a guest this needs a
    /// shell with `sync` or `fsync`, since an agent cannot do it by itself. On a host it needs Unix.
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
            ownership: Ownership::default(),
            resume: false,
            timeout: None,
            max_bytes: 64 << 30,
            report: Report::default(),
        }
    }

    /// Whether to compare the SHA-256 checksums of all files at the end, before anything is moved to its place. This
    /// needs a shell in the guest with one of the programs `sha256sum`, `shasum`, `sha256` and `openssl`. Without these
    /// the copy fails, and nothing is copied.
    pub fn verify(mut self, verify: bool) -> Self {
        self.verify = verify;
        self
    }

    /// Whether the copy may replace whatever exists at the target, even a whole folder. The old content stays until the
    /// copy is complete; see [what becomes of the target](crate::guest::copy#what-becomes-of-the-target).
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

    /// Whether to go on with what an earlier copy of the same file or tree has left, and to leave what is there if this one
    /// breaks off, even if its process is killed; see [going on with a copy](crate::guest::copy#going-on-with-a-copy). It
    /// needs what [`verify`](Self::verify) needs. Without these the copy fails, and nothing is copied.
    ///
    /// ```no_run
    /// # async fn example(guest: qga_commands::Guest) -> Result<(), qga_commands::GuestError> {
    /// let copied = guest.upload("disk.img", "/srv/disk.img").resume(true).await?;
    /// println!("{} of {} bytes were there already", copied.resumed, copied.bytes);
    /// # Ok(())
    /// # }
    /// ```
    pub fn resume(mut self, resume: bool) -> Self {
        self.resume = resume;
        self
    }

    /// Sets whom the copy in the guest is to belong to: `USER`, `USER:GROUP` or `:GROUP`, each by a name of the guest or a
    /// number. It is only for an upload, and replaces [`preserve_owner`](Self::preserve_owner). The guest needs a shell, and
    /// its agent has to be allowed to do so; otherwise the copy fails, before anything is copied.
    ///
    /// ```no_run
    /// # async fn example(guest: qga_commands::Guest) -> Result<(), qga_commands::GuestError> {
    /// guest.upload("dist", "/srv/site").owner("www-data:www-data").await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn owner(mut self, owner: impl Into<String>) -> Self {
        self.ownership = Ownership::Given(owner.into());
        self
    }

    /// Whether the copies are to belong to the same user and group as what is copied, by their numbers. It replaces
    /// [`owner`](Self::owner). In a download this program has to run as root, unless all files of the guest have its own
    /// user's number. Where the numbers are not known or cannot be set, the copy fails.
    pub fn preserve_owner(mut self, preserve: bool) -> Self {
        self.ownership = if preserve {
            Ownership::Kept
        } else {
            Ownership::Ours
        };
        self
    }

    /// Sets a function that is told the progress of the copy, after each piece of at most 256 KiB. It must not block.
    pub fn progress(mut self, progress: impl FnMut(&Progress<'_>) + Send + 'static) -> Self {
        self.report.call(Box::new(progress));
        self
    }

    /// How long the copy may take in all. Unless this is set, there is no limit as long as the copy makes progress: 8 MiB,
    /// or 128 files, have to be copied in each ten minutes. Each command has the client's timeout in any case.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// How many bytes may be copied; 64 GiB unless set. The number of files, folders and links is limited to 100,000, and the
    /// depth of folders to 64.
    pub fn max_bytes(mut self, bytes: u64) -> Self {
        self.max_bytes = bytes;
        self
    }

    async fn run(mut self) -> Result<Copied, GuestError> {
        self.remote = scripts::path(self.remote)?;
        self.ownership
            .check(matches!(self.direction, Direction::Upload))?;
        let (timeout, direction) = (self.timeout, self.direction);
        let remote = self.remote.clone();
        let copy = async {
            if self.verify || self.resume {
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
/// [`GuestError::Copy`] with the path of the file that failed; [`GuestError::Command`] and others if something failed
/// that is not about one file. The error's [`execution`](GuestError::execution) is `NotRun` if nothing was changed in the
/// guest, for example because a file of this host is missing.
///
/// # Cancel safety
///
/// When the future is dropped, the target is as it was, and what was copied until then is removed in the background, unless
/// the copy is to be [resumed](Transfer::resume). If the future is dropped at the very end, the complete copy may be at the
/// target.
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
