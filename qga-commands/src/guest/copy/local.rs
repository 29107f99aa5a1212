//! Files of this host, without blocking the runtime.

use std::fs::{self, DirBuilder, File, FileTimes, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tempfile::TempDir;
use tokio::runtime::Handle;
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::task::{JoinHandle, spawn_blocking};

use super::CopyFault;
use super::listing::{Kind, Meta};
use crate::guest::GuestError;

/// How many chunks may wait for the disk.
const ROOM: usize = 6;
/// With so little room left no more chunks are asked for, as two may be on their way.
const ENOUGH: usize = 3;

/// Does what blocks elsewhere.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let done = spawn_blocking(work).await;
    done.unwrap_or_else(|_| Err(io::Error::other("the runtime has ended")))
}

pub(super) fn local(path: &Path, error: io::Error) -> GuestError {
    CopyFault::Local(error).at(path.display().to_string())
}

/// A fresh folder beside the target that only we may enter; it is removed when this is dropped.
pub(super) struct LocalTemp {
    folder: Option<TempDir>,
    target: PathBuf,
}

impl LocalTemp {
    pub(super) async fn beside(target: &Path, kind: Kind) -> Result<Self, GuestError> {
        let refused = |why| CopyFault::Refused(why).at(target.display().to_string());
        let name = target
            .file_name()
            .ok_or(refused("the target has no name"))?;
        let prefix = format!(".{}.", name.display());
        let parent = match target.parent() {
            Some(parent) if parent != Path::new("") => parent.to_owned(),
            _ => PathBuf::from("."),
        };
        let path = target.to_owned();
        let made = blocking(move || {
            if let Ok(found) = fs::symlink_metadata(&path)
                && (kind == Kind::Folder || found.is_dir())
            {
                return Ok(None);
            }
            let short: String = prefix.chars().take(40).collect();
            let mut builder = tempfile::Builder::new();
            builder.prefix(&short).suffix(".part");
            #[cfg(unix)]
            builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700));
            builder.tempdir_in(parent).map(Some)
        });
        match made.await.map_err(|error| local(target, error))? {
            Some(folder) => Ok(Self {
                folder: Some(folder),
                target: target.to_owned(),
            }),
            None if kind == Kind::Folder => Err(refused("the target is there already")),
            None => Err(refused("the target is a folder")),
        }
    }

    pub(super) fn content(&self) -> PathBuf {
        let folder = self.folder.as_ref().map(TempDir::path);
        folder.unwrap_or(Path::new("")).join("content")
    }

    /// Moves what is in it to its place. A folder has its permissions and time set only there: one
    /// that may not be changed cannot be moved by everybody.
    pub(super) async fn publish(mut self, meta: Option<Meta>) -> Result<(), GuestError> {
        let (content, target) = (self.content(), self.target.clone());
        let folder = self.folder.take();
        blocking(move || {
            let opened = meta.map_or(Ok(None), |_| open(&content, Kind::Folder))?;
            fs::rename(content, target)?;
            drop(folder);
            match (opened, meta) {
                (Some(opened), Some(meta)) => set_open(&opened, meta),
                _ => Ok(()),
            }
        })
        .await
        .map_err(|error| local(&self.target, error))
    }

    /// Removes it now.
    pub(super) async fn remove(mut self) {
        let folder = self.folder.take();
        drop(blocking(move || folder.map_or(Ok(()), TempDir::close)).await);
    }
}

impl Drop for LocalTemp {
    fn drop(&mut self) {
        if let Some(folder) = self.folder.take()
            && let Ok(runtime) = Handle::try_current()
        {
            runtime.spawn_blocking(move || drop(folder));
        }
    }
}

/// A new file that is written in the background.
pub(super) struct Sink {
    chunks: Option<Sender<Vec<u8>>>,
    task: JoinHandle<io::Result<()>>,
}

impl Sink {
    pub(super) fn create(path: PathBuf) -> Self {
        let (chunks, received) = mpsc::channel(ROOM);
        Self {
            chunks: Some(chunks),
            task: tokio::spawn(write(path, received)),
        }
    }

    /// Takes a chunk; whether there is room for more than what is on its way.
    pub(super) fn push(&self, chunk: Vec<u8>) -> bool {
        let Some(chunks) = &self.chunks else {
            return false;
        };
        chunks.try_send(chunk).is_ok() && chunks.capacity() > ENOUGH
    }

    /// Waits until there is room again, or fails as the disk did.
    pub(super) async fn room(&mut self) -> io::Result<()> {
        if let Some(chunks) = &self.chunks
            && chunks.reserve_many(ENOUGH + 1).await.is_err()
        {
            self.end().await?;
        }
        Ok(())
    }

    /// Waits until all is written.
    pub(super) async fn finish(mut self) -> io::Result<()> {
        self.end().await
    }

    async fn end(&mut self) -> io::Result<()> {
        self.chunks = None;
        let ended = (&mut self.task).await;
        ended.unwrap_or_else(|_| Err(io::Error::other("the runtime has ended")))
    }
}

async fn write(path: PathBuf, mut chunks: Receiver<Vec<u8>>) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    let mut file = blocking(move || options.open(path)).await?;
    while let Some(chunk) = chunks.recv().await {
        file = blocking(move || {
            file.write_all(&chunk)?;
            Ok(file)
        })
        .await?;
    }
    Ok(())
}

/// Makes a folder that nobody else may enter yet.
pub(super) fn make_folder(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Sets permissions and times of what is ours.
pub(super) fn set(path: &Path, kind: Kind, meta: Meta) -> io::Result<()> {
    open(path, kind)?.map_or(Ok(()), |file| set_open(&file, meta))
}

/// Opens what is to be set; Windows opens no folders.
fn open(path: &Path, kind: Kind) -> io::Result<Option<File>> {
    match kind {
        Kind::File => OpenOptions::new().write(true).open(path).map(Some),
        Kind::Folder if cfg!(unix) => File::open(path).map(Some),
        Kind::Folder => Ok(None),
    }
}

fn set_open(file: &File, meta: Meta) -> io::Result<()> {
    file.set_times(FileTimes::new().set_modified(time(meta.modified)))?;
    permit(file, meta.mode)
}

#[cfg(unix)]
fn permit(file: &File, mode: u32) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(fs::Permissions::from_mode(mode))
}

#[cfg(not(unix))]
fn permit(_: &File, _: u32) -> io::Result<()> {
    Ok(())
}

/// A time that this host cannot say becomes 1970.
fn time(seconds: i64) -> SystemTime {
    let distance = Duration::from_secs(seconds.unsigned_abs());
    let time = if seconds < 0 {
        UNIX_EPOCH.checked_sub(distance)
    } else {
        UNIX_EPOCH.checked_add(distance)
    };
    time.unwrap_or(UNIX_EPOCH)
}
