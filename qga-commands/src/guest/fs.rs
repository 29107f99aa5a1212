//! Files and folders of the guest by their paths, in the words of `tokio::fs`.
//!
//! ```no_run
//! # async fn example(guest: qga_commands::Guest) -> Result<(), qga_commands::GuestError> {
//! guest.create_dir_all("/srv/site/releases").await?;
//! if guest.try_exists("/srv/site/maintenance").await? {
//!     guest.remove_file("/srv/site/maintenance").await?;
//! }
//! for entry in guest.read_dir("/srv/site/releases").await? {
//!     println!("{}: {} bytes", entry.file_name(), entry.metadata().len());
//! }
//! # Ok(())
//! # }
//! ```
//!
//! [`files`](super::files) is about reading and writing files, and [`copy`](super::copy) about copying them.
//!
//! # What the guest needs
//!
//! An agent has no commands for any of this. So it is done by the shell of a POSIX guest, with the `stat`, `find`,
//! `mkdir` and `rm` of GNU, busybox or BSD. In a guest with Windows, or one whose agent may not run programs, the error is
//! [`GuestError::Unsupported`]; only [`Guest::try_exists`] works there too.

use std::borrow::Cow;
use std::io;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::files::OpenOptions;
use super::process::Output;
use super::records::{Record, records};
use super::scripts::{self, LIST, MAKE_DIRECTORY, REMOVE_FILE, Script};
use super::shell::may_have_shell;
use super::{Guest, GuestError};

/// How long one of these may take in the guest.
const WITHIN: Duration = Duration::from_secs(60);

const NO_SHELL: &str = "this needs a POSIX shell, and the agent runs none: the guest has Windows or no \
                        shell, or guest-exec is disabled";

/// The metadata of a file or folder, as [`std::fs::Metadata`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metadata {
    mode: u32,
    size: u64,
    modified: i64,
    uid: u32,
    gid: u32,
}

/// Whether something is a file, a folder, a link or something else, as [`std::fs::FileType`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FileType(u32);

/// An entry of a folder, as [`std::fs::DirEntry`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirEntry {
    folder: String,
    name: Vec<u8>,
    metadata: Metadata,
}

impl Guest {
    /// Creates a folder, and its parents if they do not exist. It is no error if the folder exists already.
    ///
    /// # Errors
    ///
    /// [`GuestError::Path`] where it cannot be made, [`GuestError::Unsupported`] where the guest has no shell,
    /// and as [`Guest::execute`].
    ///
    /// # Cancel safety
    ///
    /// The folders may have been made.
    pub async fn create_dir_all(&self, path: impl Into<String>) -> Result<(), GuestError> {
        let path = scripts::path(path)?;
        let output = self.shell(MAKE_DIRECTORY, &[&path]).await?;
        succeeded(output, "create the directory", &path).map(drop)
    }

    /// Removes a file or a link. The target of a link stays.
    ///
    /// # Errors
    ///
    /// [`GuestError::Path`] where it cannot be removed, as when there is none or it is a folder;
    /// [`GuestError::Unsupported`] where the guest has no shell, and as [`Guest::execute`].
    ///
    /// # Cancel safety
    ///
    /// The file may have been removed.
    pub async fn remove_file(&self, path: impl Into<String>) -> Result<(), GuestError> {
        let path = scripts::path(path)?;
        let output = self.shell(REMOVE_FILE, &[&path]).await?;
        succeeded(output, "remove the file", &path).map(drop)
    }

    /// Whether something exists at a path. Links are followed, so the answer for a broken link is `false`.
    ///
    /// In a guest without a shell, the agent tries to open the path for reading. There it is an error if the agent has no
    /// permission to read it.
    ///
    /// # Errors
    ///
    /// [`GuestError::Path`] when it cannot be found out, for example because a permission is missing. Otherwise as
    /// [`Guest::execute`].
    ///
    /// # Cancel safety
    ///
    /// Nothing is changed.
    pub async fn try_exists(&self, path: impl Into<String>) -> Result<bool, GuestError> {
        let path = path.into();
        match self.metadata(&*path).await {
            Ok(_) => Ok(true),
            Err(GuestError::Path {
                kind: io::ErrorKind::NotFound,
                ..
            }) => Ok(false),
            Err(GuestError::Unsupported(_)) => self.can_be_opened(path).await,
            Err(error) => Err(error),
        }
    }

    /// Returns the metadata of the file or folder at a path. Links are followed.
    ///
    /// # Errors
    ///
    /// [`GuestError::Path`] where there is none or it may not be looked at, [`GuestError::Unsupported`] where
    /// the guest has no shell, and as [`Guest::execute`].
    ///
    /// # Cancel safety
    ///
    /// Nothing is changed.
    pub async fn metadata(&self, path: impl Into<String>) -> Result<Metadata, GuestError> {
        self.look("file", path.into()).await
    }

    /// Returns the metadata of what is at a path. If that is a link, it is not followed.
    ///
    /// # Errors
    ///
    /// As [`metadata`](Self::metadata).
    ///
    /// # Cancel safety
    ///
    /// Nothing is changed.
    pub async fn symlink_metadata(&self, path: impl Into<String>) -> Result<Metadata, GuestError> {
        self.look("link", path.into()).await
    }

    /// Returns the entries of a folder, sorted by name. Links are not followed.
    ///
    /// # Errors
    ///
    /// [`GuestError::Path`] where there is no such folder, where it may not be read, or where it holds more
    /// than some 200,000 names, whose list is too long for an agent; [`GuestError::Unsupported`] where the guest
    /// has no shell, and as [`Guest::execute`].
    ///
    /// # Cancel safety
    ///
    /// Nothing is changed.
    pub async fn read_dir(&self, path: impl Into<String>) -> Result<Vec<DirEntry>, GuestError> {
        const ACTION: &str = "read the directory";
        let path = scripts::path(path)?;
        let output = self.shell(LIST, &["directory", &path]).await?;
        let output = succeeded(output, ACTION, &path)?;
        if output.truncated {
            let reason = "its list is longer than the 16 MiB that an agent keeps".to_owned();
            return Err(failed(ACTION, &path, reason));
        }
        let entry = |record: Option<Record<'_>>| {
            let record = record?;
            let name = record.name.strip_prefix(b"./")?;
            is_name(name).then(|| DirEntry {
                folder: path.clone(),
                name: name.to_vec(),
                metadata: record.into(),
            })
        };
        let entries: Option<Vec<_>> = records(&output.stdout).map(entry).collect();
        let mut entries = entries.ok_or(BROKEN)?;
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }

    async fn look(&self, what: &str, path: String) -> Result<Metadata, GuestError> {
        let path = scripts::path(path)?;
        let output = self.shell(LIST, &[what, &path]).await?;
        let output = succeeded(output, "look at", &path)?;
        match (records(&output.stdout).next().flatten(), output.truncated) {
            (Some(record), false) => Ok(record.into()),
            _ => Err(BROKEN),
        }
    }

    async fn can_be_opened(&self, path: String) -> Result<bool, GuestError> {
        match OpenOptions::new().read(true).open_handle(self, path).await {
            Ok(handle) => {
                handle.close_quietly().await;
                Ok(true)
            }
            Err(error) => {
                let refusal = error.command_error().and_then(|error| error.agent_error());
                match refusal.map(|refusal| kind(&refusal.desc)) {
                    Some(io::ErrorKind::NotFound) => Ok(false),
                    _ => Err(error),
                }
            }
        }
    }

    async fn shell(&self, script: Script, args: &[&str]) -> Result<Output, GuestError> {
        let output = if may_have_shell(self).await? {
            script.run(self, args, WITHIN).await?
        } else {
            None
        };
        output.ok_or(GuestError::Unsupported(NO_SHELL))
    }
}

const BROKEN: GuestError =
    GuestError::Unexpected(Cow::Borrowed("a list of files that cannot be read"));

impl Metadata {
    /// What it is.
    #[must_use]
    pub fn file_type(&self) -> FileType {
        FileType(self.mode & 0o170_000)
    }

    /// Whether it is a file.
    #[must_use]
    pub fn is_file(&self) -> bool {
        self.file_type().is_file()
    }

    /// Whether it is a folder.
    #[must_use]
    pub fn is_dir(&self) -> bool {
        self.file_type().is_dir()
    }

    /// Whether it is a link.
    #[must_use]
    pub fn is_symlink(&self) -> bool {
        self.file_type().is_symlink()
    }

    /// Its length in bytes. For files of `/proc` this is 0, whatever their content.
    #[must_use]
    #[allow(clippy::len_without_is_empty, reason = "as in std::fs")]
    pub fn len(&self) -> u64 {
        self.size
    }

    /// When its content was last changed, in whole seconds. `None` for a time that this host's clock cannot represent.
    #[must_use]
    pub fn modified(&self) -> Option<SystemTime> {
        let distance = Duration::from_secs(self.modified.unsigned_abs());
        if self.modified < 0 {
            UNIX_EPOCH.checked_sub(distance)
        } else {
            UNIX_EPOCH.checked_add(distance)
        }
    }

    /// Its permissions, such as `0o644`, with the bits for setuid, setgid and sticky.
    #[must_use]
    pub fn mode(&self) -> u32 {
        self.mode & 0o7777
    }

    /// The number of the user who owns it.
    #[must_use]
    pub fn uid(&self) -> u32 {
        self.uid
    }

    /// The number of the group that owns it.
    #[must_use]
    pub fn gid(&self) -> u32 {
        self.gid
    }
}

impl FileType {
    /// Whether it is a file.
    #[must_use]
    pub fn is_file(&self) -> bool {
        self.0 == 0o100_000
    }

    /// Whether it is a folder.
    #[must_use]
    pub fn is_dir(&self) -> bool {
        self.0 == 0o040_000
    }

    /// Whether it is a link.
    #[must_use]
    pub fn is_symlink(&self) -> bool {
        self.0 == 0o120_000
    }
}

impl DirEntry {
    /// Its name in the folder. Bytes that are not UTF-8 become U+FFFD.
    #[must_use]
    pub fn file_name(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.name)
    }

    /// Its name in the folder, as bytes.
    #[must_use]
    pub fn file_name_bytes(&self) -> &[u8] {
        &self.name
    }

    /// Its path: that of the folder, and the name. An agent takes only paths that are UTF-8, so a path that contains
    /// U+FFFD cannot be opened.
    #[must_use]
    pub fn path(&self) -> String {
        format!("{}/{}", self.folder.trim_end_matches('/'), self.file_name())
    }

    /// Its type. A link is not followed.
    #[must_use]
    pub fn file_type(&self) -> FileType {
        self.metadata.file_type()
    }

    /// Its metadata at the time when the folder was read. Links are not followed.
    #[must_use]
    pub fn metadata(&self) -> Metadata {
        self.metadata
    }
}

impl From<Record<'_>> for Metadata {
    fn from(record: Record<'_>) -> Self {
        Self {
            mode: record.mode,
            size: record.size,
            modified: record.modified,
            uid: record.uid,
            gid: record.gid,
        }
    }
}

/// Whether it is the name of one thing in a folder, and leads nowhere else.
fn is_name(name: &[u8]) -> bool {
    !matches!(name, b"" | b"." | b"..") && !name.contains(&b'/') && !name.contains(&0)
}

fn succeeded(output: Output, action: &'static str, path: &str) -> Result<Output, GuestError> {
    if output.status.success() {
        return Ok(output);
    }
    let said = output.stderr_lossy();
    let last = said.trim().lines().last().unwrap_or_default();
    let reason = match last {
        "" => output.status.to_string(),
        last => last.to_owned(),
    };
    Err(failed(action, path, reason))
}

fn failed(action: &'static str, path: &str, reason: String) -> GuestError {
    GuestError::Path {
        action,
        path: path.to_owned(),
        kind: kind(&reason),
        reason,
    }
}

/// What the C library's words say, which are the same everywhere in the scripts' locale. The last two are
/// those of Windows in English.
fn kind(reason: &str) -> io::ErrorKind {
    let reason = reason.trim_end_matches(['.', ' ']).to_ascii_lowercase();
    let known = [
        ("no such file or directory", io::ErrorKind::NotFound),
        ("permission denied", io::ErrorKind::PermissionDenied),
        ("operation not permitted", io::ErrorKind::PermissionDenied),
        ("file exists", io::ErrorKind::AlreadyExists),
        ("not a directory", io::ErrorKind::NotADirectory),
        ("is a directory", io::ErrorKind::IsADirectory),
        ("read-only file system", io::ErrorKind::ReadOnlyFilesystem),
        ("no space left on device", io::ErrorKind::StorageFull),
        ("cannot find the file specified", io::ErrorKind::NotFound),
        ("cannot find the path specified", io::ErrorKind::NotFound),
    ];
    let found = known.iter().find(|(words, _)| reason.ends_with(words));
    found.map_or(io::ErrorKind::Other, |(_, kind)| *kind)
}

#[cfg(test)]
mod tests {
    use super::kind;
    use std::io::ErrorKind;

    #[test]
    fn the_words_of_different_programs_are_understood() {
        for (words, wanted) in [
            (
                "stat: cannot statx '/x': No such file or directory",
                ErrorKind::NotFound,
            ),
            (
                "stat: can't stat '/x': No such file or directory",
                ErrorKind::NotFound,
            ),
            (
                "stat: /x: stat: No such file or directory",
                ErrorKind::NotFound,
            ),
            ("rm: 'd' is a directory", ErrorKind::IsADirectory),
            (
                "rm: cannot remove 'd': Is a directory",
                ErrorKind::IsADirectory,
            ),
            (
                "mkdir: cannot create directory '/f': Not a directory",
                ErrorKind::NotADirectory,
            ),
            ("Not a directory", ErrorKind::NotADirectory),
            (
                "The system cannot find the file specified.",
                ErrorKind::NotFound,
            ),
            ("exit code 3", ErrorKind::Other),
            ("", ErrorKind::Other),
        ] {
            assert_eq!(kind(words), wanted, "{words}");
        }
    }
}
