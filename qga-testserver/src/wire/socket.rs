//! The socket that an agent listens on, and its file.

use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use tokio::net::TcpListener;
#[cfg(unix)]
use tokio::net::{UnixListener, UnixStream};

use crate::wire::listener::Listener;

/// The socket that an agent listens on. The file of a Unix socket is removed when this is dropped.
#[derive(Debug)]
pub(crate) enum Socket {
    #[cfg(unix)]
    Temporary {
        path: PathBuf,
        /// It is removed, with everything in it, when this is dropped.
        #[allow(dead_code, reason = "it is held, not read")]
        folder: TempDir,
    },
    #[cfg(unix)]
    File(FileSocket),
    Tcp(std::net::SocketAddr),
}

/// A socket's file that is removed when this is dropped.
#[cfg(unix)]
#[derive(Debug)]
pub(crate) struct FileSocket(PathBuf);

/// A Unix socket's path takes at most 107 bytes; macOS allows 103.
#[cfg(unix)]
const PATH_LIMIT: usize = 103;

impl Socket {
    /// The path of a Unix socket.
    #[cfg(unix)]
    pub(crate) fn path(&self) -> Option<&Path> {
        match self {
            Socket::Temporary { path, .. } | Socket::File(FileSocket(path)) => Some(path),
            Socket::Tcp(_) => None,
        }
    }

    /// The address in the form that clients use.
    pub(crate) fn address(&self) -> String {
        match self {
            #[cfg(unix)]
            Socket::Temporary { path, .. } | Socket::File(FileSocket(path)) => {
                format!("unix:{}", path.display())
            }
            Socket::Tcp(address) => format!("tcp:{address}"),
        }
    }

    /// Listens on a new socket of this name in a temporary folder.
    #[cfg(unix)]
    pub(crate) fn open(name: &str) -> io::Result<(Self, Listener)> {
        let folder = folder()?;
        let path = folder.path().join(name);
        let listener = Listener::Unix(UnixListener::bind(&path)?);
        Ok((Socket::Temporary { path, folder }, listener))
    }

    /// Listens on `unix:PATH` or `tcp:HOST:PORT`.
    pub(crate) async fn listen(address: &str) -> io::Result<(Self, Listener)> {
        if let Some(address) = address.strip_prefix("tcp:") {
            let listener = TcpListener::bind(address).await?;
            let bound = listener.local_addr()?;
            return Ok((Socket::Tcp(bound), Listener::Tcp(listener)));
        }
        #[cfg(unix)]
        if let Some(path) = address.strip_prefix("unix:") {
            make_way(Path::new(path)).await?;
            let listener = UnixListener::bind(path)?;
            let file = Socket::File(FileSocket(path.into()));
            return Ok((file, Listener::Unix(listener)));
        }
        Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "an address is unix:PATH or tcp:HOST:PORT",
        ))
    }
}

impl Socket {
    /// Listens once more at the same address, where nobody listens any more.
    pub(crate) fn listen_again(&self) -> io::Result<Listener> {
        match self {
            #[cfg(unix)]
            Socket::Temporary { path, .. } | Socket::File(FileSocket(path)) => {
                // It is there only if its server was killed.
                drop(std::fs::remove_file(path));
                Ok(Listener::Unix(UnixListener::bind(path)?))
            }
            Socket::Tcp(address) => {
                let listener = std::net::TcpListener::bind(address)?;
                listener.set_nonblocking(true)?;
                Ok(Listener::Tcp(TcpListener::from_std(listener)?))
            }
        }
    }
}

/// Removes a socket whose server no longer runs. Anything else stays.
#[cfg(unix)]
async fn make_way(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::FileTypeExt;
    let taken = |why| io::Error::new(io::ErrorKind::AddrInUse, why);
    match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
        Ok(found) if !found.file_type().is_socket() => {
            return Err(taken("there is a file of this name that is not a socket"));
        }
        Ok(_) => {}
    }
    match UnixStream::connect(path).await {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            std::fs::remove_file(path)
        }
        _ => Err(taken("another server listens there already")),
    }
}

#[cfg(unix)]
impl Drop for FileSocket {
    fn drop(&mut self) {
        // Somebody may have removed it before us.
        drop(std::fs::remove_file(&self.0));
    }
}

/// A new temporary folder whose path is short enough for a socket in it.
#[cfg(unix)]
pub(crate) fn folder() -> io::Result<TempDir> {
    let mut builder = tempfile::Builder::new();
    builder.prefix("qga");
    let folder = builder.tempdir()?;
    if folder.path().as_os_str().len() + "/qga.sock".len() > PATH_LIMIT {
        return builder.tempdir_in("/tmp");
    }
    Ok(folder)
}
