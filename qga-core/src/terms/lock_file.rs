//! A file beside a Unix socket, by which programs that share it see each other.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

use crate::error::{Error, ErrorKind, Reason};
use crate::transport::{Address, connect_error};

/// How much of the file is read for the holder's number, in bytes.
const PID_LENGTH: u64 = 16;

/// A lock that is held until this is dropped. The file stays: to delete it would let a third take a
/// lock on a new one while a second still has the old one.
#[derive(Debug)]
pub(crate) struct LockFile {
    file: File,
}

impl LockFile {
    /// Takes the lock that belongs to an address, without waiting for it.
    pub(crate) fn take(address: Option<&Address>) -> Result<Self, Error> {
        let path = match address {
            Some(Address::Unix(socket)) if cfg!(unix) => {
                let socket = socket.canonicalize();
                let socket = socket.map_err(|error| connect_error(ErrorKind::Open(error)))?;
                lock_path(&socket)
            }
            _ => {
                let words = "it lies beside a Unix socket, and this channel is none";
                return Err(failed(Reason::error(io::ErrorKind::Unsupported, words)));
            }
        };
        let mut file = open(&path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let pid = holder(&mut file);
                return Err(connect_error(ErrorKind::Held { pid }));
            }
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        // Somebody may have put another file there meanwhile, and that one may be locked too.
        if is_planted(&path, &file).map_err(failed)? {
            return Err(failed(io::Error::other("it has just been replaced")));
        }
        sign(&mut file).map_err(failed)?;
        Ok(Self { file })
    }
}

/// Closing alone lifts the lock only once no program that another thread is just starting has a copy of the descriptor
/// any more.
impl Drop for LockFile {
    fn drop(&mut self) {
        // There is nothing to be done about a failure.
        drop(self.file.unlock());
    }
}

fn failed(error: io::Error) -> Error {
    connect_error(ErrorKind::Lock(error))
}

pub(crate) fn lock_path(socket: &Path) -> PathBuf {
    let mut path = socket.as_os_str().to_owned();
    path.push(".lock");
    path.into()
}

/// Opens the file, or makes it for this user alone: who may open it may hold it.
fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    // This does not follow a link.
    match options.clone().create_new(true).open(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        made => return made,
    }
    if !path.symlink_metadata()?.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    let file = options.open(path)?;
    if is_planted(path, &file)? {
        return Err(io::Error::other("it is a link"));
    }
    Ok(file)
}

/// Whether what was opened goes by another name too, so that writing would change another file.
#[cfg(unix)]
fn is_planted(path: &Path, file: &File) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt;
    let (named, opened) = (path.symlink_metadata()?, file.metadata()?);
    let same = (named.dev(), named.ino()) == (opened.dev(), opened.ino());
    Ok(!same || opened.nlink() != 1)
}

#[cfg(not(unix))]
fn is_planted(_: &Path, _: &File) -> io::Result<bool> {
    Ok(false)
}

fn sign(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{}", std::process::id())
}

/// The process that holds the lock, unless it has not written its number yet.
fn holder(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.take(PID_LENGTH).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn the_lock_is_free_though_a_program_that_just_starts_has_a_copy_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("socket");
        let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        let address = Address::Unix(socket);
        let lock = LockFile::take(Some(&address)).unwrap();
        let _copy = lock.file.try_clone().unwrap();
        LockFile::take(Some(&address)).unwrap_err();
        drop(lock);
        LockFile::take(Some(&address)).unwrap();
    }
}
