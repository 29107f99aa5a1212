use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// A socket's path in a temporary folder, which goes when this is dropped.
#[derive(Debug)]
pub(crate) struct Socket {
    path: PathBuf,
    _folder: TempDir,
}

/// A Unix socket's path takes at most 107 bytes; macOS allows 103.
const PATH_LIMIT: usize = 103;

impl Socket {
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Listens on a socket of our own.
    pub(crate) fn open() -> io::Result<(Self, tokio::net::UnixListener)> {
        let folder = folder()?;
        let path = folder.path().join("qga.sock");
        let listener = tokio::net::UnixListener::bind(&path)?;
        Ok((
            Self {
                path,
                _folder: folder,
            },
            listener,
        ))
    }
}

/// A new temporary folder whose path is short enough for a socket in it.
pub(crate) fn folder() -> io::Result<TempDir> {
    let mut builder = tempfile::Builder::new();
    builder.prefix("qga");
    let folder = builder.tempdir()?;
    if folder.path().as_os_str().len() + "/qga.sock".len() > PATH_LIMIT {
        return builder.tempdir_in("/tmp");
    }
    Ok(folder)
}
