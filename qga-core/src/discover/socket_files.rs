//! Sockets as files.

use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

/// Which file a path leads to, whatever the path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct SocketFile {
    device: u64,
    inode: u64,
    pub(super) owner: u32,
}

impl SocketFile {
    /// The socket at the end of this path, behind links if there are any.
    pub(super) fn at(path: &Path) -> io::Result<Self> {
        let file = path.metadata()?;
        if !file.file_type().is_socket() {
            return Err(io::Error::other("it is not a socket"));
        }
        Ok(Self {
            device: file.dev(),
            inode: file.ino(),
            owner: file.uid(),
        })
    }

    /// The socket at this absolute path of a process, and a path by which it is reached from here. A process in a
    /// container, or one that has changed its root, has another `/` than this one.
    pub(super) fn of_process(root: &Path, path: &Path) -> io::Result<(PathBuf, Self)> {
        let below_root = root.join(path.strip_prefix("/").unwrap_or(path));
        match (Self::at(path), Self::at(&below_root)) {
            (Ok(here), Ok(there)) if here != there => Ok((below_root, there)),
            (Ok(_), Err(error)) if is_in_container(root, &error) => Err(error),
            (Ok(here), _) => Ok((path.to_owned(), here)),
            (Err(_), Ok(there)) => Ok((below_root, there)),
            (Err(error), Err(_)) => Err(error),
        }
    }
}

/// Whether a process sees other files than we do, so that what is missing below its root is missing. One that has
/// changed its root to a folder may have opened the socket before.
fn is_in_container(root: &Path, error: &io::Error) -> bool {
    let is_missing = error.kind() == io::ErrorKind::NotFound;
    is_missing && root.read_link().is_ok_and(|root| root == Path::new("/"))
}
