//! Where a download goes: a fresh folder beside the target, and in the end the target.

use std::collections::{HashMap, HashSet};
use std::ffi::OsString;
use std::fs::File;
use std::hash::{BuildHasher, RandomState};
use std::io::{self, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::runtime::Handle;

use super::folder::{Folder, Look, id};
use super::parts::{self, Left, Part, Wanted as Listed};
use super::sink::Held;
use super::trail::Trail;
use super::{Replaced, blocking, local};
use crate::guest::GuestError;
use crate::guest::copy::CopyFault;
use crate::guest::copy::entry::{Kind, Meta, Owner};

const CONTENT: &str = "content";
const OLD: &str = "old";
const LOCK: &str = "lock";

/// What may become of what is there already.
#[derive(Clone, Copy, Debug)]
struct Wanted {
    kind: Kind,
    replace: bool,
}

/// A fresh folder beside the target that only we may enter; it is removed when this is dropped.
pub(in crate::guest::copy) struct Target {
    shown: PathBuf,
    inner: Arc<Inner>,
}

/// All of it is reached from open folders, so that nobody can put a link in between.
#[derive(Debug)]
struct Inner {
    /// Where the target lies.
    parent: Folder,
    name: OsString,
    temp: Folder,
    temp_name: String,
    wanted: Wanted,
    /// Into the content, once that is a folder that was made.
    trail: Mutex<Option<Trail>>,
    /// Had by who publishes or removes, so that nothing is removed of what is just being moved.
    turn: Mutex<()>,
    /// Whether the folder is to be removed when this is dropped.
    armed: AtomicBool,
    /// A locked file, where somebody may go on with the folder later.
    lock: Option<File>,
    /// What an earlier copy has made of the content, until this one makes it or goes on with it.
    left: Mutex<HashSet<String>>,
}

/// How the target has come to its place.
pub(in crate::guest::copy) struct Published {
    /// In one step.
    pub(in crate::guest::copy) atomic: bool,
    /// Its folder is on the disk.
    pub(in crate::guest::copy) synced: bool,
}

impl Target {
    pub(in crate::guest::copy) async fn begin(
        path: &Path,
        kind: Kind,
        replace: bool,
    ) -> Result<Self, GuestError> {
        let (parent, name) = split(path)?;
        let refused = |why| CopyFault::Refused(why).at(path.display().to_string());
        let wanted = Wanted { kind, replace };
        let inner = blocking(move || Inner::begin(Folder::open(&parent)?, name, wanted)).await;
        match inner.map_err(|error| local(path, error))? {
            Ok(inner) => Ok(Self {
                shown: path.to_owned(),
                inner: Arc::new(inner),
            }),
            Err(why) => Err(refused(why)),
        }
    }

    /// Goes on with the folder of the same key that an earlier copy has left, or makes it. It stays until it is published
    /// or removed.
    pub(in crate::guest::copy) async fn resume(
        path: &Path,
        kind: Kind,
        key: u64,
        replace: bool,
    ) -> Result<Self, GuestError> {
        let (parent, name) = split(path)?;
        let refused = |why| CopyFault::Refused(why).at(path.display().to_string());
        let wanted = Wanted { kind, replace };
        let inner = blocking(move || Inner::resume(Folder::open(&parent)?, name, wanted, key));
        let inner = match inner.await {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                return Err(CopyFault::busy().at(path.display().to_string()));
            }
            inner => inner.map_err(|error| local(path, error))?,
        };
        let (shown, inner) = (path.to_owned(), Arc::new(inner.map_err(refused)?));
        Ok(Self { shown, inner })
    }

    /// The parts of files that an earlier copy has left. Whatever else it has left is removed.
    pub(in crate::guest::copy) async fn parts(
        &self,
        listed: Listed,
    ) -> Result<Vec<Part>, GuestError> {
        self.work(move |inner| {
            let mut left = Left::default();
            if inner.temp.is_there(CONTENT)? {
                parts::find(&inner.temp, CONTENT, "", &listed, &mut left)?;
            }
            *inner.left() = left.paths;
            Ok(left.parts)
        })
        .await
    }

    /// Makes folders, each after the one that it lies in; the empty path is the content itself.
    pub(in crate::guest::copy) async fn make_folders(
        &self,
        paths: Vec<String>,
    ) -> Result<(), GuestError> {
        self.work(move |inner| paths.iter().try_for_each(|path| inner.make_folder(path)))
            .await
    }

    /// What makes a file, or the content itself for the empty path, or goes on after so many bytes of it. It comes with
    /// what keeps others from the folder.
    pub(in crate::guest::copy) fn creation(
        &self,
        path: &str,
        there: u64,
    ) -> impl FnOnce() -> io::Result<(File, Held)> + Send + use<> {
        let (inner, path) = (Arc::clone(&self.inner), path.to_owned());
        move || Ok((inner.create(&path, there)?, inner))
    }

    /// Makes links in folders that are there: the path of each, where it leads to, and whom it is to belong to.
    pub(in crate::guest::copy) async fn make_links(
        &self,
        links: Vec<(String, Vec<u8>, Option<Owner>)>,
    ) -> Result<(), GuestError> {
        self.work(move |inner| {
            for (path, target, owner) in links {
                if let Some(trail) = &mut *inner.trail() {
                    let (folder, name) = trail.parent(&path)?;
                    folder.make_link(&target, name, owner)?;
                }
            }
            Ok(())
        })
        .await
    }

    /// Makes folders what they are to be, on the disk, in this order. Whether all are on the disk.
    pub(in crate::guest::copy) async fn finish_folders(
        &self,
        folders: Vec<(String, Option<Meta>)>,
    ) -> Result<bool, GuestError> {
        self.work(move |inner| {
            let mut synced = true;
            for (path, meta) in folders {
                let mut trail = inner.trail();
                let Some(trail) = &mut *trail else {
                    continue;
                };
                let folder = trail.folder(&path)?;
                meta.map_or(Ok(()), |meta| folder.set(meta))?;
                synced &= folder.sync()?;
            }
            Ok(synced)
        })
        .await
    }

    /// Moves what is in it to its place. A folder has its permissions and time set only there: one
    /// that may not be changed cannot be moved by everybody.
    pub(in crate::guest::copy) async fn publish(
        self,
        meta: Option<Meta>,
    ) -> Result<Published, GuestError> {
        match self.work(move |inner| inner.publish(meta)).await? {
            Ok(published) => Ok(published),
            Err(why) => Err(CopyFault::Refused(why).at(self.shown.display().to_string())),
        }
    }

    /// Removes it now.
    pub(in crate::guest::copy) async fn remove(self) {
        drop(self.work(Inner::remove_now).await);
    }

    async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Inner) -> io::Result<T> + Send + 'static,
    ) -> Result<T, GuestError> {
        let inner = Arc::clone(&self.inner);
        let done = blocking(move || work(&inner)).await;
        done.map_err(|error| local(&self.shown, error))
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        if let Ok(runtime) = Handle::try_current() {
            let inner = Arc::clone(&self.inner);
            runtime.spawn_blocking(move || inner.remove());
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // Nobody is left to hear of a failure.
        let _ = self.remove();
    }
}

impl Inner {
    fn begin(parent: Folder, name: OsString, wanted: Wanted) -> io::Result<Result<Self, Refusal>> {
        if let Err(why) = wanted.may_take(&parent, &name)? {
            return Ok(Err(why));
        }
        let temp_name = temp_name(&name, RandomState::new().hash_one(&name));
        let temp = parent.make_and_open(&temp_name)?;
        if !temp.is_private()? {
            return Err(Replaced::error());
        }
        Ok(Ok(Self::new(parent, name, temp, temp_name, wanted, None)))
    }

    /// With a lock it is not removed when this is dropped, so that somebody may go on with it.
    fn new(
        parent: Folder,
        name: OsString,
        temp: Folder,
        temp_name: String,
        wanted: Wanted,
        lock: Option<File>,
    ) -> Self {
        Self {
            parent,
            name,
            temp,
            temp_name,
            wanted,
            trail: Mutex::new(None),
            turn: Mutex::default(),
            armed: AtomicBool::new(lock.is_none()),
            lock,
            left: Mutex::default(),
        }
    }

    fn resume(
        parent: Folder,
        name: OsString,
        wanted: Wanted,
        key: u64,
    ) -> io::Result<Result<Self, Refusal>> {
        if let Err(why) = wanted.may_take(&parent, &name)? {
            return Ok(Err(why));
        }
        let temp_name = temp_name(&name, key);
        let temp = match parent.make(&temp_name) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => parent.folder(&temp_name)?,
        };
        // Nobody else can have put anything into it, unless it is none of an earlier copy.
        let is_ours = |name: &OsString| name == CONTENT || name == LOCK;
        if !temp.is_private()? || !temp.names()?.iter().all(is_ours) {
            return Ok(Err(NOT_OURS));
        }
        let lock = temp.open_own(LOCK)?;
        lock.try_lock()?;
        if !is_there_still(&parent, &temp_name, &temp, &lock)? {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let lock = Some(lock);
        Ok(Ok(Self::new(parent, name, temp, temp_name, wanted, lock)))
    }

    fn make_folder(&self, path: &str) -> io::Result<()> {
        let mut trail = self.trail();
        if let Some(trail) = &mut *trail {
            let (folder, name) = trail.parent(path)?;
            return self.make(folder, name, path);
        }
        self.make(&self.temp, CONTENT, "")?;
        *trail = Some(Trail::new(self.temp.folder(CONTENT)?, HashMap::new()));
        Ok(())
    }

    /// Makes a folder, unless an earlier copy has made it.
    fn make(&self, folder: &Folder, name: &str, path: &str) -> io::Result<()> {
        if self.left().remove(path) {
            return Ok(());
        }
        folder.make(name)
    }

    fn create(&self, path: &str, there: u64) -> io::Result<File> {
        let mut trail = self.trail();
        let (folder, name) = match &mut *trail {
            Some(trail) => trail.parent(path)?,
            None => (&self.temp, CONTENT),
        };
        let is_left = self.left().remove(path);
        if is_left && there > 0 {
            let mut part = folder.open_own(name)?;
            part.set_len(there)?;
            part.seek(SeekFrom::End(0))?;
            return Ok(part);
        }
        if is_left {
            folder.remove(name)?;
        }
        // Where two names are one to this host, the second one fails.
        folder.create(name)
    }

    fn publish(&self, meta: Option<Meta>) -> io::Result<Result<Published, Refusal>> {
        let _turn = self.turn();
        if let Err(why) = self.wanted.may_take(&self.parent, &self.name)? {
            self.remove_in_turn()?;
            return Ok(Err(why));
        }
        let atomic = self.move_to_place()?;
        let mut synced = true;
        if let (Some(trail), Some(meta)) = (&mut *self.trail(), meta) {
            let folder = trail.folder("")?;
            folder.set(meta)?;
            synced = folder.sync()?;
        }
        // The copy is in its place; what was replaced may be such that it cannot be removed.
        self.forget_that_it_stays();
        let _ = self.remove_in_turn();
        synced &= self.parent.sync()?;
        Ok(Ok(Published { atomic, synced }))
    }

    /// Whether it took one step.
    fn move_to_place(&self) -> io::Result<bool> {
        let Self {
            parent, name, temp, ..
        } = self;
        let stands = match parent.look(name) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            looked => Some(looked?),
        };
        let folders = self.wanted.kind == Kind::Folder || stands == Some(Look::Is(Kind::Folder));
        if stands.is_none() && folders {
            return temp.rename_new(CONTENT, parent, name).map(|()| true);
        }
        if !folders {
            return temp.rename(CONTENT, parent, name).map(|()| true);
        }
        if temp.exchange(CONTENT, parent, name)? {
            // What was replaced is nothing that a later copy may go on with.
            temp.rename(CONTENT, temp, OLD)?;
            return Ok(true);
        }
        parent.rename(name, temp, OLD)?;
        let moved = temp.rename(CONTENT, parent, name);
        if moved.is_err() {
            temp.rename(OLD, parent, name)?;
        }
        moved.map(|()| false)
    }

    /// Removes the folder even if it is to stay when this is dropped.
    fn remove_now(&self) -> io::Result<()> {
        self.forget_that_it_stays();
        self.remove()
    }

    fn forget_that_it_stays(&self) {
        if self.lock.is_some() {
            self.armed.store(true, Ordering::Relaxed);
        }
    }

    /// Removes the folder, once.
    fn remove(&self) -> io::Result<()> {
        let _turn = self.turn();
        self.remove_in_turn()
    }

    fn remove_in_turn(&self) -> io::Result<()> {
        if !self.armed.swap(false, Ordering::Relaxed) {
            return Ok(());
        }
        // What was moved aside and could not be moved back is the user's.
        if self.temp.is_there(OLD)? && !self.parent.is_there(&self.name)? {
            return Ok(());
        }
        // The lock goes last.
        let _ = self.temp.remove(CONTENT);
        let _ = self.temp.remove(OLD);
        self.parent.remove(&self.temp_name)
    }

    fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn left(&self) -> MutexGuard<'_, HashSet<String>> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn trail(&self) -> MutexGuard<'_, Option<Trail>> {
        self.trail.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const NOT_OURS: &str = "the folder for its part, `.NAME.*.part` beside it, is there already and is none of an earlier copy";

/// The folder in which a path lies, and its name there.
fn split(path: &Path) -> Result<(PathBuf, OsString), GuestError> {
    let no_name = || {
        let fault = CopyFault::Refused("the target has no name");
        fault.at(path.display().to_string())
    };
    let name = path.file_name().ok_or_else(no_name)?;
    let parent = match path.parent() {
        Some(parent) if parent != Path::new("") => parent.to_owned(),
        _ => PathBuf::from("."),
    };
    Ok((parent, name.to_owned()))
}

fn temp_name(name: &OsString, number: u64) -> String {
    let short: String = name.display().to_string().chars().take(40).collect();
    format!(".{short}.{number:016x}.part")
}

/// Whether a lock is still where it was opened: whoever had it may just have ended.
fn is_there_still(parent: &Folder, name: &str, temp: &Folder, lock: &File) -> io::Result<bool> {
    let still = || -> io::Result<bool> {
        let there = parent.folder(name)?;
        let locked = there.file(LOCK)?.metadata()?;
        Ok(there.id()? == temp.id()? && id(&locked) == id(&lock.metadata()?))
    };
    match still() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        looked => looked,
    }
}

/// Why nothing may be put there.
type Refusal = &'static str;

impl Wanted {
    fn may_take(self, parent: &Folder, name: &OsString) -> io::Result<Result<(), Refusal>> {
        let stands = match parent.look(name) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Ok(())),
            looked => looked?,
        };
        Ok(match (self.kind, stands) {
            _ if self.replace => Ok(()),
            (Kind::Folder, _) => Err("the target is there already; `replace` it if it may go"),
            (Kind::File, Look::Is(Kind::Folder)) => {
                Err("the target is a folder; `replace` it if it may go")
            }
            (Kind::File | Kind::Link, _) => Ok(()),
        })
    }
}
