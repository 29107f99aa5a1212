//! A folder that is open: what is in it is reached from there, whatever becomes of its path.

use std::ffi::{CStr, OsStr};
use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use rustix::fs::{AtFlags, Dir, FileType, Gid, Mode, OFlags, Uid};
use rustix::io::Errno;

use super::{Look, Names};
use crate::guest::copy::entry::{Id, Kind, Meta, Owner};
use crate::guest::copy::host::Replaced;

/// For our eyes only.
const PRIVATE: Mode = Mode::RWXU;

#[derive(Debug)]
pub(in crate::guest::copy::host) struct Folder(File);

impl Folder {
    /// Follows links, as the path is the caller's.
    pub(in crate::guest::copy::host) fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let opened = rustix::fs::open(path, flags, Mode::empty())?;
        Ok(Self(opened.into()))
    }

    pub(in crate::guest::copy::host) fn folder(&self, name: impl AsRef<Path>) -> io::Result<Self> {
        self.at(name.as_ref(), OFlags::RDONLY | OFlags::DIRECTORY)
            .map(Self)
    }

    /// Opens a folder of ours, even one that we have taken that right from.
    pub(in crate::guest::copy::host) fn own_folder(&self, name: &str) -> io::Result<Self> {
        if self.look(name)? != Look::Is(Kind::Folder) {
            return Err(Replaced::error());
        }
        rustix::fs::chmodat(&self.0, name, Mode::RWXU, AtFlags::empty())?;
        self.folder(name)
    }

    /// Whether a file of ours has no other name.
    pub(in crate::guest::copy::host) fn is_single(&self, name: &str) -> io::Result<bool> {
        let stat = rustix::fs::statat(&self.0, name, AtFlags::SYMLINK_NOFOLLOW)?;
        Ok(stat.st_nlink == 1)
    }

    /// Opens a file for reading. A pipe that has taken its place is not waited for.
    pub(in crate::guest::copy::host) fn file(&self, name: impl AsRef<Path>) -> io::Result<File> {
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY;
        let file = self.at(name.as_ref(), flags)?;
        if file.metadata()?.is_file() {
            Ok(file)
        } else {
            Err(Replaced::error())
        }
    }

    /// Makes a file that is not there yet, to be written and read by nobody else.
    pub(in crate::guest::copy::host) fn create(&self, name: &str) -> io::Result<File> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW;
        let mode = Mode::RUSR | Mode::WUSR;
        let opened = rustix::fs::openat(&self.0, name, flags | OFlags::CLOEXEC, mode)?;
        Ok(opened.into())
    }

    /// Opens a file of ours, or makes it, to be written and read by nobody else.
    pub(in crate::guest::copy::host) fn open_own(&self, name: &str) -> io::Result<File> {
        match self.create(name) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            made => return made,
        }
        // It may be one that we have just taken that right from; the folder is private, so it is no link to elsewhere.
        if self.look(name)? != Look::Is(Kind::File) {
            return Err(Replaced::error());
        }
        rustix::fs::chmodat(&self.0, name, Mode::RUSR | Mode::WUSR, AtFlags::empty())?;
        let file = self.at(Path::new(name), OFlags::RDWR | OFlags::NONBLOCK)?;
        if file.metadata()?.is_file() {
            Ok(file)
        } else {
            Err(Replaced::error())
        }
    }

    pub(in crate::guest::copy::host) fn make(&self, name: &str) -> io::Result<()> {
        Ok(rustix::fs::mkdirat(&self.0, name, PRIVATE)?)
    }

    /// Where a link leads to.
    pub(in crate::guest::copy::host) fn read_link(&self, name: &str) -> io::Result<Vec<u8>> {
        match rustix::fs::readlinkat(&self.0, name, Vec::new()) {
            Err(Errno::INVAL) => Err(Replaced::error()),
            target => Ok(target?.into_bytes()),
        }
    }

    /// What is known of a link itself.
    pub(in crate::guest::copy::host) fn link_meta(&self, name: &str) -> io::Result<Option<Meta>> {
        let stat = rustix::fs::statat(&self.0, name, AtFlags::SYMLINK_NOFOLLOW)?;
        Ok(Some(Meta {
            mode: 0o777,
            modified: 0,
            owner: Some(Owner {
                user: stat.st_uid,
                group: stat.st_gid,
            }),
        }))
    }

    /// Makes a link where nothing is; it may lead anywhere.
    pub(in crate::guest::copy::host) fn make_link(
        &self,
        target: &[u8],
        name: &str,
        owner: Option<Owner>,
    ) -> io::Result<()> {
        rustix::fs::symlinkat(target, &self.0, name)?;
        if let Some(Owner { user, group }) = owner {
            let (user, group) = (Uid::from_raw(user), Gid::from_raw(group));
            let itself = AtFlags::SYMLINK_NOFOLLOW;
            rustix::fs::chownat(&self.0, name, Some(user), Some(group), itself)?;
        }
        Ok(())
    }

    /// Whether it is ours and nobody else may enter it.
    pub(in crate::guest::copy::host) fn is_private(&self) -> io::Result<bool> {
        let metadata = self.0.metadata()?;
        let ours = metadata.uid() == rustix::process::geteuid().as_raw();
        Ok(ours && metadata.mode() & 0o777 == 0o700)
    }

    pub(in crate::guest::copy::host) fn look(&self, name: impl AsRef<Path>) -> io::Result<Look> {
        let stat = rustix::fs::statat(&self.0, name.as_ref(), AtFlags::SYMLINK_NOFOLLOW)?;
        Ok(match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => Look::Is(Kind::File),
            FileType::Directory => Look::Is(Kind::Folder),
            FileType::Symlink => Look::Is(Kind::Link),
            _ => Look::Other,
        })
    }

    pub(in crate::guest::copy::host) fn names(&self) -> io::Result<Names> {
        let is_entry = |name: &CStr| !matches!(name.to_bytes(), b"." | b"..");
        let mut names = Names::new();
        for entry in Dir::read_from(&self.0)? {
            let entry = entry?;
            let name = entry.file_name();
            if is_entry(name) {
                names.push(OsStr::from_bytes(name.to_bytes()).to_owned());
            }
        }
        Ok(names)
    }

    /// Moves to where nothing is, or where a file is if this is one.
    pub(in crate::guest::copy::host) fn rename(
        &self,
        name: impl AsRef<Path>,
        to: &Self,
        new: impl AsRef<Path>,
    ) -> io::Result<()> {
        Ok(rustix::fs::renameat(
            &self.0,
            name.as_ref(),
            &to.0,
            new.as_ref(),
        )?)
    }

    /// Moves to where nothing is, if the system can tell in the same step.
    pub(in crate::guest::copy::host) fn rename_new(
        &self,
        name: &str,
        to: &Self,
        new: &OsStr,
    ) -> io::Result<()> {
        #[cfg(target_os = "linux")]
        {
            use rustix::fs::{RenameFlags, renameat_with};
            match renameat_with(&self.0, name, &to.0, new, RenameFlags::NOREPLACE) {
                Err(Errno::INVAL | Errno::NOSYS) => {}
                renamed => return Ok(renamed?),
            }
        }
        self.rename(name, to, new)
    }

    /// Lets two change places in one step. Whether that was done: not everywhere it can be.
    pub(in crate::guest::copy::host) fn exchange(
        &self,
        name: &str,
        to: &Self,
        new: &OsStr,
    ) -> io::Result<bool> {
        #[cfg(target_os = "linux")]
        {
            use rustix::fs::{RenameFlags, renameat_with};
            match renameat_with(&self.0, name, &to.0, new, RenameFlags::EXCHANGE) {
                Err(Errno::INVAL | Errno::NOSYS) => Ok(false),
                exchanged => Ok(exchanged.map(|()| true)?),
            }
        }
        #[cfg(not(target_os = "linux"))]
        {
            let _ = (name, to, new);
            Ok(false)
        }
    }

    pub(in crate::guest::copy::host) fn set(&self, meta: Meta) -> io::Result<()> {
        super::set(&self.0, meta)
    }

    pub(in crate::guest::copy::host) fn sync(&self) -> io::Result<bool> {
        super::sync(&self.0)
    }

    pub(in crate::guest::copy::host) fn meta(&self) -> io::Result<Meta> {
        Ok(super::meta(&self.0.metadata()?))
    }

    pub(in crate::guest::copy::host) fn id(&self) -> io::Result<Id> {
        Ok(super::id(&self.0.metadata()?))
    }

    pub(super) fn remove_file(&self, name: &Path) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(&self.0, name, AtFlags::empty())?)
    }

    pub(super) fn remove_empty_folder(&self, name: &Path) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(&self.0, name, AtFlags::REMOVEDIR)?)
    }

    pub(super) fn allow_changes(&self) {
        let private = std::fs::Permissions::from_mode(0o700);
        // If it is not ours, removing tells.
        let _ = self.0.set_permissions(private);
    }

    fn at(&self, name: &Path, flags: OFlags) -> io::Result<File> {
        let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        match rustix::fs::openat(&self.0, name, flags, Mode::empty()) {
            // A link, or a socket, or a pipe that nobody reads.
            Err(Errno::LOOP | Errno::NOTDIR | Errno::NXIO) => Err(Replaced::error()),
            opened => Ok(opened?.into()),
        }
    }
}
