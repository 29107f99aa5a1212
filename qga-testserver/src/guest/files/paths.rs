//! What programs of the guest do to files by their paths, with what clients have open.

use std::collections::HashSet;

use super::errno::Errno;
use super::handle::Handle;
use super::tree::Stat;
use super::{Files, Tree};

/// How an operation by a path fails, in the C library's words.
pub(crate) type Why = &'static str;

impl Files {
    /// What there is at a path, and behind a link that it ends in if that is to be followed.
    pub(crate) fn stat(&self, path: &str, follow: bool) -> Result<Stat, Why> {
        let located = self.found(path, follow).map_err(Errno::as_str)?;
        self.tree.stat(&located).map_err(Errno::as_str)
    }

    /// Whether there is anything at a path, a link that leads nowhere too.
    pub(crate) fn is_there(&self, path: &str) -> bool {
        self.stat(path, false).is_ok()
    }

    /// Whether a path leads to a folder.
    pub(crate) fn is_folder(&self, path: &str) -> bool {
        self.stat(path, true).is_ok_and(|stat| stat.is_folder())
    }

    /// The paths below a folder, relative to it, with what is there.
    pub(crate) fn below(&self, folder: &str) -> Result<Vec<(Vec<u8>, Stat)>, Why> {
        let folder = self.found(folder, true).map_err(Errno::as_str)?;
        let below = self.tree.below(&folder).into_iter().map(|path| {
            let stat = self.tree.stat(&[&*folder, b"/", &*path].concat())?;
            Ok((path, stat))
        });
        below.collect::<Result<_, _>>().map_err(Errno::as_str)
    }

    /// Makes a folder and those above it that are not there.
    pub(crate) fn make_folders(&mut self, path: &str) -> Result<(), Why> {
        self.tree
            .make_folders(path.as_bytes())
            .map_err(Errno::as_str)
    }

    /// Makes a folder that only its user may enter, where nothing is.
    pub(crate) fn make_private_folder(&mut self, path: &str) -> Result<(), Why> {
        let mut make = || {
            let path = self.tree.locate(path.as_bytes())?;
            self.tree.make_folder(&path)?;
            self.tree.set_mode(&path, 0o700)
        };
        make().map_err(Errno::as_str)
    }

    /// Moves what is at a path to another, where a file or nothing is. What clients have open moves
    /// along.
    pub(crate) fn rename(&mut self, from: &str, to: &str) -> Result<(), Why> {
        let mut rename = || {
            let from = self.tree.locate(from.as_bytes())?;
            let to = self.tree.locate(to.as_bytes())?;
            if self.tree.stat(&to).is_ok_and(|stat| stat.is_folder()) {
                return Err(Errno::IsFolder);
            }
            self.tree.stat(&from)?;
            self.remove(&to);
            let moved = self.tree.rename(&from, &to)?;
            for handle in self.handles.values_mut() {
                handle.follow(&moved);
            }
            Ok(())
        };
        rename().map_err(Errno::as_str)
    }

    /// Removes what is at a path unless that is a folder.
    pub(crate) fn remove_file(&mut self, path: &str) -> Result<(), Why> {
        let mut remove = || {
            let path = self.tree.locate(path.as_bytes())?;
            if self.tree.stat(&path)?.is_folder() {
                return Err(Errno::IsFolder);
            }
            self.remove(&path);
            Ok(())
        };
        remove().map_err(Errno::as_str)
    }

    /// Removes what is at a path and all below it, if anything is.
    pub(crate) fn remove_all(&mut self, path: &str) {
        if let Ok(path) = self.tree.locate(path.as_bytes()) {
            self.remove(&path);
        }
    }

    /// Where a link leads to.
    pub(crate) fn link_target(&self, path: &str) -> Option<&[u8]> {
        let path = self.tree.locate(path.as_bytes()).ok()?;
        self.tree.link_target(&path)
    }

    /// Makes a link where nothing is.
    pub(crate) fn make_link(&mut self, path: &str, target: &str) -> Result<(), Why> {
        let path = self.tree.locate(path.as_bytes()).map_err(Errno::as_str)?;
        let made = self.tree.make_link(&path, target.as_bytes());
        made.map_err(Errno::as_str)
    }

    /// Sets permissions.
    pub(crate) fn set_mode(&mut self, path: &str, mode: u32) -> Result<(), Why> {
        let path = self.found(path, true).map_err(Errno::as_str)?;
        self.tree.set_mode(&path, mode).map_err(Errno::as_str)
    }

    /// Sets the time of the last change, in seconds since 1970.
    pub(crate) fn set_modified(&mut self, path: &str, at: i64) -> Result<(), Why> {
        let path = self.found(path, true).map_err(Errno::as_str)?;
        self.tree.set_modified(&path, at).map_err(Errno::as_str)
    }

    /// Sets the user, the group or both of what is at a path, links not followed.
    pub(crate) fn set_owner(
        &mut self,
        path: &str,
        user: Option<u32>,
        group: Option<u32>,
    ) -> Result<(), Why> {
        let path = self.found(path, false).map_err(Errno::as_str)?;
        let set = self.tree.set_owner(&path, user, group);
        set.map_err(Errno::as_str)
    }

    fn found(&self, path: &str, follow: bool) -> Result<Vec<u8>, Errno> {
        let path = path.as_bytes();
        // What ends with a slash is followed too.
        if follow || path.ends_with(b"/") {
            self.tree.resolve(path)
        } else {
            self.tree.locate(path)
        }
    }

    /// Forgets files that were removed and that nobody has open, or writes to.
    pub(super) fn forget_removed(&mut self) {
        if self.removed.is_empty() {
            return;
        }
        let handles = self.handles.values();
        let open: HashSet<_> = handles.map(Handle::path).collect();
        let gone: Vec<_> = self
            .removed
            .iter()
            .filter(|(_, now)| Tree::is_removed(now) && !open.contains(now.as_slice()))
            .map(|(old, now)| (old.clone(), now.clone()))
            .collect();
        for (old, now) in gone {
            self.tree.forget_removed(&now);
            self.removed.remove(&old);
        }
    }
}
