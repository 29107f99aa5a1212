//! What programs of the guest do to files by their paths.

use std::collections::BTreeMap;

use super::{NOWHERE, Node, Tree};
use crate::guest::files::errno::Errno;

/// Permissions and the time of the last change, where they are not the usual ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::guest::files) struct Meta {
    pub(in crate::guest::files) mode: u32,
    pub(in crate::guest::files) modified: i64,
    /// The numbers of user and group.
    pub(in crate::guest::files) owner: (u32, u32),
}

/// What `stat` tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stat {
    /// The type and the permissions.
    pub(crate) mode: u32,
    /// In bytes.
    pub(crate) size: u64,
    /// In seconds since 1970.
    pub(crate) modified: i64,
    /// The numbers of user and group.
    pub(crate) owner: (u32, u32),
}

/// When everything was changed of which nobody has said another time, in seconds since 1970.
const NOW: i64 = 1_700_000_000;

/// The bits of a mode that say what something is.
const TYPE: u32 = 0o170_000;

impl Stat {
    pub(crate) fn is_folder(&self) -> bool {
        self.mode & TYPE == 0o040_000
    }

    pub(crate) fn is_file(&self) -> bool {
        self.mode & TYPE == 0o100_000
    }
}

impl Tree {
    /// The path as it is kept, with all links followed but one that it ends in.
    pub(in crate::guest::files) fn locate(&self, path: &[u8]) -> Result<Vec<u8>, Errno> {
        let slashes = path.iter().rev().take_while(|byte| **byte == b'/').count();
        let path = match path.get(..path.len() - slashes) {
            Some(path) if !path.is_empty() => path,
            _ => return self.resolve(path),
        };
        let (folder, name) = match path.iter().rposition(|byte| *byte == b'/') {
            Some(slash) => path.split_at(slash),
            None => (&b""[..], path),
        };
        let name = name.strip_prefix(b"/").unwrap_or(name);
        if matches!(name, b"." | b"..") {
            return self.resolve(path);
        }
        let folder = if folder.is_empty() {
            Vec::new()
        } else {
            self.resolve(folder)?
        };
        self.check_folder(&folder)?;
        Ok([&*folder, b"/", name].concat())
    }

    /// What there is at a path that was resolved or located.
    pub(in crate::guest::files) fn stat(&self, path: &[u8]) -> Result<Stat, Errno> {
        let node = self.nodes.get(path).ok_or(Errno::NotFound)?;
        let (kind, usual, size) = match node {
            Node::Folder => (0o040_000, 0o755, 4096),
            Node::File(content) => (0o100_000, 0o644, content.len() as u64),
            Node::Null | Node::Zero | Node::Full => (0o020_000, 0o666, 0),
            Node::Fifo => (0o010_000, 0o644, 0),
            Node::Socket => (0o140_000, 0o755, 0),
            Node::Link(target) => (0o120_000, 0o777, target.len() as u64),
        };
        let meta = self.meta.get(path);
        Ok(Stat {
            mode: kind | meta.map_or(usual, |meta| meta.mode),
            size,
            modified: meta.map_or(NOW, |meta| meta.modified),
            owner: meta.map_or((0, 0), |meta| meta.owner),
        })
    }

    /// The paths below a folder, relative to it; a folder comes before what is in it.
    pub(in crate::guest::files) fn below(&self, folder: &[u8]) -> Vec<Vec<u8>> {
        let prefix = [folder, b"/"].concat();
        let keys = self.nodes.range(prefix.clone()..);
        keys.map_while(|(key, _)| key.strip_prefix(&*prefix))
            .map(<[u8]>::to_vec)
            .collect()
    }

    /// Makes a folder and those above it, as a client.
    pub(in crate::guest::files) fn make_folders(&mut self, path: &[u8]) -> Result<(), Errno> {
        let mut made = Vec::new();
        if path.is_empty() {
            return Err(Errno::NotFound);
        }
        for name in path.split(|byte| *byte == b'/') {
            if name.is_empty() {
                continue;
            }
            made.push(b'/');
            made.extend_from_slice(name);
            made = self.resolve(&made)?;
            match self.nodes.get(&made) {
                Some(Node::Folder) => {}
                Some(_) => return Err(Errno::Exists),
                None => self.make_folder(&made)?,
            }
        }
        Ok(())
    }

    /// Makes a folder at a path that was located.
    pub(in crate::guest::files) fn make_folder(&mut self, path: &[u8]) -> Result<(), Errno> {
        if self.nodes.contains_key(path) {
            return Err(Errno::Exists);
        }
        self.spend(path.len() + super::NODE_SIZE)?;
        self.make_scratch(path);
        self.nodes.insert(path.to_vec(), Node::Folder);
        Ok(())
    }

    /// Where a link at a path that was located leads to.
    pub(in crate::guest::files) fn link_target(&self, path: &[u8]) -> Option<&[u8]> {
        match self.nodes.get(path)? {
            Node::Link(target) => Some(target),
            _ => None,
        }
    }

    /// Makes a link at a path that was located.
    pub(in crate::guest::files) fn make_link(
        &mut self,
        path: &[u8],
        target: &[u8],
    ) -> Result<(), Errno> {
        if target.is_empty() {
            return Err(Errno::NotFound);
        }
        if self.nodes.contains_key(path) {
            return Err(Errno::Exists);
        }
        self.spend(path.len() + target.len() + super::NODE_SIZE)?;
        self.make_scratch(path);
        self.nodes
            .insert(path.to_vec(), Node::Link(target.to_vec()));
        Ok(())
    }

    /// Moves what is at one path, and all below, to another; both were located. Says where each
    /// file is now.
    pub(in crate::guest::files) fn rename(
        &mut self,
        from: &[u8],
        to: &[u8],
    ) -> Result<BTreeMap<Vec<u8>, Vec<u8>>, Errno> {
        if !self.nodes.contains_key(from) {
            return Err(Errno::NotFound);
        }
        if to == from || to.starts_with(&[from, b"/"].concat()) {
            return Err(Errno::Invalid);
        }
        self.make_scratch(to);
        let mut moved = BTreeMap::new();
        let olds = std::iter::once(Vec::new()).chain(self.below(from));
        for rest in olds {
            let joined = |path: &[u8]| match &*rest {
                b"" => path.to_vec(),
                rest => [path, b"/", rest].concat(),
            };
            let (old, new) = (joined(from), joined(to));
            self.shift(&old, &new);
            moved.insert(old, new);
        }
        Ok(moved)
    }

    /// Sets permissions of what is at a path that was resolved.
    pub(in crate::guest::files) fn set_mode(
        &mut self,
        path: &[u8],
        mode: u32,
    ) -> Result<(), Errno> {
        self.change(path, |meta| meta.mode = mode & 0o7777)
    }

    /// Sets the time of the last change, in seconds since 1970.
    pub(in crate::guest::files) fn set_modified(
        &mut self,
        path: &[u8],
        at: i64,
    ) -> Result<(), Errno> {
        self.change(path, |meta| meta.modified = at)
    }

    /// Sets user, group or both of what is at a path that was located.
    pub(in crate::guest::files) fn set_owner(
        &mut self,
        path: &[u8],
        user: Option<u32>,
        group: Option<u32>,
    ) -> Result<(), Errno> {
        self.change(path, |meta| {
            let (old_user, old_group) = meta.owner;
            meta.owner = (user.unwrap_or(old_user), group.unwrap_or(old_group));
        })
    }

    /// The content has changed just now.
    pub(super) fn touch(&mut self, path: &[u8]) {
        if let Some(meta) = self.meta.get_mut(path) {
            meta.modified = NOW;
        }
    }

    /// Moves one node, with what is known of it.
    pub(super) fn shift(&mut self, old: &[u8], new: &[u8]) {
        let meta = self.meta.remove(old);
        self.meta.remove(new);
        if let Some(node) = self.nodes.remove(old) {
            self.nodes.insert(new.to_vec(), node);
            self.meta.extend(meta.map(|meta| (new.to_vec(), meta)));
        }
    }

    fn change(&mut self, path: &[u8], change: impl FnOnce(&mut Meta)) -> Result<(), Errno> {
        let stat = self.stat(path)?;
        let meta = self.meta.entry(path.to_vec()).or_insert(Meta {
            mode: stat.mode & 0o7777,
            modified: stat.modified,
            owner: stat.owner,
        });
        change(meta);
        Ok(())
    }

    /// Removes one node for good.
    pub(super) fn forget(&mut self, path: &[u8]) {
        self.meta.remove(path);
        let freed = match self.nodes.remove(path) {
            Some(Node::File(content)) => content.len() + super::NODE_SIZE,
            Some(_) => super::NODE_SIZE,
            None => 0,
        };
        self.space = super::SPACE.min(self.space + freed);
    }

    /// Whether a path is one of those of removed files.
    pub(in crate::guest::files) fn is_removed(path: &[u8]) -> bool {
        path.starts_with(NOWHERE)
    }
}
