//! A folder by its path, where the system has no way to reach files from an open folder.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use super::{Look, Names};
use crate::guest::copy::entry::{Id, Kind, Meta, Owner};
use crate::guest::copy::host::Replaced;

#[derive(Debug)]
pub(in crate::guest::copy::host) struct Folder(PathBuf);

impl Folder {
    pub(in crate::guest::copy::host) fn open(path: &Path) -> io::Result<Self> {
        if fs::metadata(path)?.is_dir() {
            Ok(Self(path.to_owned()))
        } else {
            Err(io::ErrorKind::NotADirectory.into())
        }
    }

    pub(in crate::guest::copy::host) fn folder(&self, name: impl AsRef<Path>) -> io::Result<Self> {
        match self.look(&name)? {
            Look::Is(Kind::Folder) => Ok(Self(self.0.join(name))),
            _ => Err(Replaced::error()),
        }
    }

    pub(in crate::guest::copy::host) fn own_folder(&self, name: &str) -> io::Result<Self> {
        self.folder(name)
    }

    /// It is not told.
    pub(in crate::guest::copy::host) fn is_single(&self, _: &str) -> io::Result<bool> {
        Ok(true)
    }

    pub(in crate::guest::copy::host) fn file(&self, name: impl AsRef<Path>) -> io::Result<File> {
        if self.look(&name)? != Look::Is(Kind::File) {
            return Err(Replaced::error());
        }
        let mut options = OpenOptions::new();
        options.read(true);
        #[cfg(windows)]
        {
            /// Opens a link itself.
            const OPEN_REPARSE_POINT: u32 = 0x0020_0000;
            std::os::windows::fs::OpenOptionsExt::custom_flags(&mut options, OPEN_REPARSE_POINT);
        }
        let file = options.open(self.0.join(name))?;
        if file.metadata()?.is_file() {
            Ok(file)
        } else {
            Err(Replaced::error())
        }
    }

    pub(in crate::guest::copy::host) fn create(&self, name: &str) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true);
        options.open(self.0.join(name))
    }

    pub(in crate::guest::copy::host) fn open_own(&self, name: &str) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        options.open(self.0.join(name))
    }

    pub(in crate::guest::copy::host) fn make(&self, name: &str) -> io::Result<()> {
        fs::create_dir(self.0.join(name))
    }

    pub(in crate::guest::copy::host) fn read_link(&self, _: &str) -> io::Result<Vec<u8>> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(in crate::guest::copy::host) fn link_meta(&self, _: &str) -> io::Result<Option<Meta>> {
        Ok(None)
    }

    pub(in crate::guest::copy::host) fn make_link(
        &self,
        _: &[u8],
        _: &str,
        _: Option<Owner>,
    ) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(in crate::guest::copy::host) fn is_private(&self) -> io::Result<bool> {
        Ok(true)
    }

    pub(in crate::guest::copy::host) fn look(&self, name: impl AsRef<Path>) -> io::Result<Look> {
        Ok(super::look(&fs::symlink_metadata(self.0.join(name))?))
    }

    pub(in crate::guest::copy::host) fn names(&self) -> io::Result<Names> {
        let entries = fs::read_dir(&self.0)?;
        entries.map(|entry| Ok(entry?.file_name())).collect()
    }

    pub(in crate::guest::copy::host) fn rename(
        &self,
        name: impl AsRef<Path>,
        to: &Self,
        new: impl AsRef<Path>,
    ) -> io::Result<()> {
        fs::rename(self.0.join(name), to.0.join(new))
    }

    pub(in crate::guest::copy::host) fn rename_new(
        &self,
        name: &str,
        to: &Self,
        new: &OsStr,
    ) -> io::Result<()> {
        self.rename(name, to, new)
    }

    pub(in crate::guest::copy::host) fn exchange(
        &self,
        _: &str,
        _: &Self,
        _: &OsStr,
    ) -> io::Result<bool> {
        Ok(false)
    }

    pub(in crate::guest::copy::host) fn set(&self, _: Meta) -> io::Result<()> {
        Ok(())
    }

    pub(in crate::guest::copy::host) fn sync(&self) -> io::Result<bool> {
        Ok(false)
    }

    pub(in crate::guest::copy::host) fn meta(&self) -> io::Result<Meta> {
        Ok(super::meta(&fs::metadata(&self.0)?))
    }

    pub(in crate::guest::copy::host) fn id(&self) -> io::Result<Id> {
        Ok(super::id(&fs::metadata(&self.0)?))
    }

    pub(super) fn remove_file(&self, name: &Path) -> io::Result<()> {
        fs::remove_file(self.0.join(name))
    }

    pub(super) fn remove_empty_folder(&self, name: &Path) -> io::Result<()> {
        fs::remove_dir(self.0.join(name))
    }

    pub(super) fn allow_changes(&self) {}
}
