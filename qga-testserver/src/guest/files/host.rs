//! Files of the host, in a folder that is the guest's root.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, SeekFrom};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use tempfile::TempDir;

use super::Special;
use super::mode::Mode;

/// The guest's files are those below a folder of the host, which is removed with this.
#[derive(Debug)]
pub(crate) struct HostFiles {
    root: TempDir,
    handles: BTreeMap<i64, File>,
}

impl HostFiles {
    pub(crate) fn new() -> io::Result<Self> {
        let root = tempfile::tempdir()?;
        for folder in ["tmp", "var/tmp", "root", "home/test", "etc"] {
            fs::create_dir_all(root.path().join(folder))?;
        }
        fs::write(root.path().join("etc/hostname"), "test-guest\n")?;
        let handles = BTreeMap::new();
        Ok(Self { root, handles })
    }

    pub(crate) fn root(&self) -> &Path {
        self.root.path()
    }

    /// Where a path of the guest is on the host; never outside the folder but through a link.
    pub(crate) fn place(&self, path: &[u8]) -> PathBuf {
        let mut names = Vec::new();
        for part in Path::new(OsStr::from_bytes(path)).components() {
            match part {
                Component::Normal(name) => names.push(name),
                Component::ParentDir => drop(names.pop()),
                _ => {}
            }
        }
        let mut place = self.root().to_owned();
        place.extend(names);
        place
    }

    #[allow(clippy::panic, reason = "the test cannot go on, and says why")]
    pub(super) fn put(&self, path: &[u8], content: &[u8]) {
        let place = self.place_for(path);
        let replaced = if place.is_symlink() {
            fs::remove_file(&place)
        } else {
            Ok(())
        };
        let put = replaced.and_then(|()| fs::write(&place, content));
        put.unwrap_or_else(|error| panic!("cannot write {}: {error}", place.display()));
    }

    #[allow(clippy::panic, reason = "the test cannot go on, and says why")]
    pub(super) fn put_special(&self, path: &[u8], special: Special) {
        let place = self.place_for(path);
        let put = match special {
            Special::Folder => fs::create_dir_all(&place),
            Special::Fifo => run("mkfifo", &place),
            Special::Socket => std::os::unix::net::UnixListener::bind(&place).map(drop),
            Special::Link(target) => std::os::unix::fs::symlink(OsStr::from_bytes(&target), &place),
        };
        put.unwrap_or_else(|error| panic!("cannot make {}: {error}", place.display()));
    }

    pub(super) fn content(&self, path: &[u8]) -> Option<Vec<u8>> {
        fs::read(self.place(path)).ok()
    }

    pub(super) fn exists(&self, path: &[u8]) -> bool {
        self.place(path).exists()
    }

    pub(super) fn open(&mut self, number: i64, path: &[u8], mode: Mode) -> io::Result<()> {
        if path.is_empty() {
            return Err(io::Error::from_raw_os_error(NO_ENTRY));
        }
        let mut options = OpenOptions::new();
        options
            .read(mode.reads())
            .write(mode.writes() && !mode.appends())
            .append(mode.appends())
            .truncate(mode.truncates())
            .create(mode.creates());
        std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, NONBLOCK);
        let file = options.open(self.place(path))?;
        self.handles.insert(number, file);
        Ok(())
    }

    pub(super) fn close(&mut self, number: i64) -> Option<()> {
        self.handles.remove(&number).map(drop)
    }

    pub(super) fn file(&mut self, number: i64) -> Option<&mut File> {
        self.handles.get_mut(&number)
    }

    pub(super) fn open_handles(&self) -> Vec<i64> {
        self.handles.keys().copied().collect()
    }

    pub(super) fn forget_handles(&mut self) {
        self.handles.clear();
    }

    /// The same, with the folders above it made.
    fn place_for(&self, path: &[u8]) -> PathBuf {
        let place = self.place(path);
        if let Some(folder) = place.parent() {
            // What is to be put there fails then, and says why.
            let _ = fs::create_dir_all(folder);
        }
        place
    }
}

/// The same numbers in all systems that have an agent.
const NO_ENTRY: i32 = 2;
#[cfg(target_os = "linux")]
const NONBLOCK: i32 = 0o4000;
#[cfg(not(target_os = "linux"))]
const NONBLOCK: i32 = 4;

fn run(program: &str, place: &Path) -> io::Result<()> {
    let status = std::process::Command::new(program).arg(place).status()?;
    if status.success() {
        Ok(())
    } else {
        Err(io::Error::other(format!("{program}: {status}")))
    }
}

/// Up to so many bytes; fewer only at the end.
pub(super) fn read(file: &mut File, count: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(count as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Nothing for a `whence` that there is none of.
pub(super) fn seek_from(offset: i64, whence: i64) -> Option<io::Result<SeekFrom>> {
    let invalid = || io::Error::from_raw_os_error(22);
    Some(match whence {
        0 => u64::try_from(offset)
            .map(SeekFrom::Start)
            .map_err(|_| invalid()),
        1 => Ok(SeekFrom::Current(offset)),
        2 => Ok(SeekFrom::End(offset)),
        _ => return None,
    })
}

/// An error in the C library's words alone.
pub(crate) fn words(error: &io::Error) -> String {
    let text = error.to_string();
    match text.split_once(" (os error") {
        Some((words, _)) => words.to_owned(),
        None => text,
    }
}
