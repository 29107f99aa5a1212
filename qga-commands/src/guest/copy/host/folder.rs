//! A folder of this host that stays the one it was.

use std::ffi::OsString;
use std::fs::{File, FileTimes, Metadata};
use std::io;
use std::path::Path;

use super::super::entry::{Id, Kind, Meta, Owner};
use super::{seconds, time};

#[cfg(not(unix))]
mod by_path;
#[cfg(unix)]
mod opened;

#[cfg(not(unix))]
pub(super) use by_path::Folder;
#[cfg(unix)]
pub(super) use opened::Folder;

/// What lies somewhere, links not followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    Is(Kind),
    /// A pipe, a socket, a device; and a link where none can be made.
    Other,
}

/// What both kinds of folder do alike.
impl Folder {
    pub(super) fn is_there(&self, name: impl AsRef<Path>) -> io::Result<bool> {
        match self.look(name) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            looked => looked.map(|_| true),
        }
    }

    /// Makes a new folder that nobody else may enter, and opens it.
    pub(super) fn make_and_open(&self, name: &str) -> io::Result<Self> {
        self.make(name)?;
        self.folder(name)
    }

    /// Removes what is there, and all below it.
    pub(super) fn remove(&self, name: impl AsRef<Path>) -> io::Result<()> {
        let name = name.as_ref();
        if self.look(name)? != Look::Is(Kind::Folder) {
            return self.remove_file(name);
        }
        let folder = self.folder(name)?;
        // It may be one that we have just taken that right from.
        folder.allow_changes();
        // Somebody else may still make something in it.
        for _ in 0..3 {
            for name in folder.names()? {
                folder.remove(&name)?;
            }
            match self.remove_empty_folder(name) {
                Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => {}
                removed => return removed,
            }
        }
        self.remove_empty_folder(name)
    }
}

/// Sets the owner, permissions and the time of the last change of what is open.
pub(super) fn set(file: &File, meta: Meta) -> io::Result<()> {
    meta.owner.map_or(Ok(()), |owner| own(file, owner))?;
    file.set_times(FileTimes::new().set_modified(time(meta.modified)))?;
    permit(file, meta.mode)
}

/// Writes what is open through to the disk. Whether that was done: some filesystems cannot.
pub(super) fn sync(file: &File) -> io::Result<bool> {
    match file.sync_all() {
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported
            ) =>
        {
            Ok(false)
        }
        synced => synced.map(|()| true),
    }
}

pub(super) fn meta(metadata: &Metadata) -> Meta {
    Meta {
        mode: mode(metadata),
        modified: metadata.modified().map_or(0, seconds),
        owner: owner(metadata),
    }
}

pub(super) fn look(metadata: &Metadata) -> Look {
    if metadata.is_file() {
        Look::Is(Kind::File)
    } else if metadata.is_dir() {
        Look::Is(Kind::Folder)
    } else {
        Look::Other
    }
}

#[cfg(unix)]
pub(super) fn id(metadata: &Metadata) -> Id {
    use std::os::unix::fs::MetadataExt;
    Id(metadata.dev(), metadata.ino())
}

/// It is not told.
#[cfg(not(unix))]
pub(super) fn id(_: &Metadata) -> Id {
    Id(0, 0)
}

#[cfg(unix)]
fn mode(metadata: &Metadata) -> u32 {
    std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o777
}

#[cfg(not(unix))]
fn mode(metadata: &Metadata) -> u32 {
    if metadata.is_dir() { 0o755 } else { 0o644 }
}

#[cfg(unix)]
#[allow(
    clippy::unnecessary_wraps,
    reason = "other systems have no such numbers"
)]
fn owner(metadata: &Metadata) -> Option<Owner> {
    use std::os::unix::fs::MetadataExt;
    Some(Owner {
        user: metadata.uid(),
        group: metadata.gid(),
    })
}

#[cfg(not(unix))]
fn owner(_: &Metadata) -> Option<Owner> {
    None
}

#[cfg(unix)]
fn own(file: &File, owner: Owner) -> io::Result<()> {
    std::os::unix::fs::fchown(file, Some(owner.user), Some(owner.group))
}

#[cfg(not(unix))]
fn own(_: &File, _: Owner) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(unix)]
fn permit(file: &File, mode: u32) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(std::fs::Permissions::from_mode(mode))
}

#[cfg(not(unix))]
fn permit(_: &File, _: u32) -> io::Result<()> {
    Ok(())
}

/// The names in a folder, without those of itself and of the one above.
type Names = Vec<OsString>;
