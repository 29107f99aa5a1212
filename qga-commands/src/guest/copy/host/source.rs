//! What is to be uploaded.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use super::folder::{Folder, Look, id, look, meta};
use super::trail::Trail;
use super::{Replaced, local};
use crate::guest::GuestError;
use crate::guest::copy::entry::{Entry, Id, Kind};
use crate::guest::copy::listing::Listing;
use crate::guest::copy::{CopyFault, names};

/// A file or a folder that was listed and is held open.
#[derive(Debug)]
pub(in crate::guest::copy) struct Source(Root);

#[derive(Debug)]
enum Root {
    File(Arc<File>),
    Tree(Mutex<Trail>),
}

impl Source {
    /// Opens a file that was listed, and no other. It blocks, as far as a disk does.
    pub(in crate::guest::copy) fn open(
        &self,
        path: &str,
        listed: Option<Id>,
    ) -> io::Result<Arc<File>> {
        let trail = match &self.0 {
            Root::File(file) => return Ok(Arc::clone(file)),
            Root::Tree(trail) => trail,
        };
        let mut trail = trail.lock().unwrap_or_else(PoisonError::into_inner);
        let (folder, name) = trail.parent(path)?;
        let file = folder.file(name)?;
        if Some(id(&file.metadata()?)) != listed {
            return Err(Replaced::error());
        }
        Ok(Arc::new(file))
    }
}

/// What there is to copy. It blocks, as far as a disk does.
pub(in crate::guest::copy) fn walk(
    root: &Path,
    max_bytes: u64,
) -> Result<(Source, Listing), GuestError> {
    let mut walk = Walk {
        listing: Listing::default(),
        ids: HashMap::new(),
        max_bytes,
    };
    // What was named is followed where it is a link, what is found is not.
    let metadata = fs::metadata(root).map_err(|error| local(root, error))?;
    let opened = match look(&metadata) {
        Look::Is(Kind::File) => {
            let file = open(root, id(&metadata)).map_err(|error| local(root, error))?;
            walk.add_file("", &file, root)?;
            Root::File(Arc::new(file))
        }
        Look::Is(Kind::Folder) => {
            let folder = Folder::open(root).map_err(|error| local(root, error))?;
            walk.add_folder("", &folder, root)?;
            Root::Tree(Mutex::new(Trail::new(folder, walk.ids)))
        }
        Look::Is(Kind::Link) | Look::Other => {
            let fault = CopyFault::Refused("it is neither a file nor a folder");
            return Err(fault.at(root.display().to_string()));
        }
    };
    Ok((Source(opened), walk.listing))
}

/// Opens what was named and is a file, or was just now.
fn open(path: &Path, listed: Id) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    {
        let flags = rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOCTTY;
        let flags = i32::try_from(flags.bits()).unwrap_or_default();
        std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, flags);
    }
    let file = options.open(path)?;
    let metadata = file.metadata()?;
    if metadata.is_file() && id(&metadata) == listed {
        Ok(file)
    } else {
        Err(Replaced::error())
    }
}

struct Walk {
    listing: Listing,
    ids: HashMap<String, Id>,
    max_bytes: u64,
}

impl Walk {
    fn add_file(&mut self, path: &str, file: &File, shown: &Path) -> Result<(), GuestError> {
        let metadata = file.metadata().map_err(|error| local(shown, error))?;
        let entry = Entry {
            path: path.to_owned(),
            meta: Some(meta(&metadata)),
            id: Some(id(&metadata)),
            ..Entry::file(metadata.len())
        };
        self.add(entry, shown)
    }

    /// Adds a folder and what is in it. How deep a path may be limits the recursion.
    fn add_folder(&mut self, path: &str, folder: &Folder, shown: &Path) -> Result<(), GuestError> {
        let failed = |error| local(shown, error);
        let id = folder.id().map_err(failed)?;
        self.ids.insert(path.to_owned(), id);
        let entry = Entry {
            path: path.to_owned(),
            kind: Kind::Folder,
            meta: Some(folder.meta().map_err(failed)?),
            id: Some(id),
            ..Entry::file(0)
        };
        self.add(entry, shown)?;
        for name in folder.names().map_err(failed)? {
            let shown = shown.join(&name);
            let unsafe_name = |why| CopyFault::UnsafeName(why).at(shown.display().to_string());
            let name = name.to_str().ok_or("it is not UTF-8");
            let name = name.map_err(unsafe_name)?;
            let below = match path {
                "" => name.to_owned(),
                _ => format!("{path}/{name}"),
            };
            names::check(below.as_bytes(), false).map_err(unsafe_name)?;
            let failed = |error| local(&shown, error);
            match folder.look(name).map_err(failed)? {
                Look::Is(Kind::Folder) => {
                    let folder = folder.folder(name).map_err(failed)?;
                    self.add_folder(&below, &folder, &shown)?;
                }
                Look::Is(Kind::File) => {
                    let file = folder.file(name).map_err(failed)?;
                    self.add_file(&below, &file, &shown)?;
                }
                Look::Is(Kind::Link) => {
                    let target = folder.read_link(name).map_err(failed)?;
                    let link = Entry {
                        path: below,
                        kind: Kind::Link,
                        target,
                        meta: folder.link_meta(name).map_err(failed)?,
                        ..Entry::file(0)
                    };
                    self.add_link(link, &shown)?;
                }
                Look::Other => self.listing.skipped += 1,
            }
        }
        Ok(())
    }

    fn add_link(&mut self, link: Entry, shown: &Path) -> Result<(), GuestError> {
        if std::str::from_utf8(&link.target).is_err() {
            let fault = CopyFault::UnsafeName(names::TARGET_NOT_UTF8);
            return Err(fault.at(shown.display().to_string()));
        }
        self.add(link, shown)
    }

    fn add(&mut self, entry: Entry, shown: &Path) -> Result<(), GuestError> {
        let added = self.listing.add(entry, self.max_bytes);
        added.map_err(|fault| fault.at(shown.display().to_string()))
    }
}
