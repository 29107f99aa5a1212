//! The way into a tree.

use std::collections::HashMap;
use std::io;

use super::Replaced;
use super::folder::Folder;
use crate::guest::copy::entry::Id;

/// A folder, and those below it that were gone through last, all of them open.
#[derive(Debug)]
pub(super) struct Trail {
    root: Folder,
    open: Vec<(String, Folder)>,
    /// What the folders below have to be, by their paths, where that is known.
    ids: HashMap<String, Id>,
}

impl Trail {
    pub(super) fn new(root: Folder, ids: HashMap<String, Id>) -> Self {
        Self {
            root,
            open: Vec::new(),
            ids,
        }
    }

    /// The folder at a path below the first, `a/b`; empty for itself.
    pub(super) fn folder(&mut self, path: &str) -> io::Result<&Folder> {
        let names = || path.split('/').filter(|name| !name.is_empty());
        let walked = self.open.iter().map(|(name, _)| name.as_str());
        let common = walked.zip(names()).take_while(|(a, b)| a == b).count();
        self.open.truncate(common);
        for name in names().skip(common) {
            let folder = self.last().folder(name)?;
            self.open.push((name.to_owned(), folder));
            self.check()?;
        }
        Ok(self.last())
    }

    /// The folder in which a path lies, and its name there.
    pub(super) fn parent<'p>(&mut self, path: &'p str) -> io::Result<(&Folder, &'p str)> {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        Ok((self.folder(folder)?, name))
    }

    fn last(&self) -> &Folder {
        self.open.last().map_or(&self.root, |(_, folder)| folder)
    }

    /// Whether the folder that was gone into last is the one that was listed.
    fn check(&mut self) -> io::Result<()> {
        let names: Vec<_> = self.open.iter().map(|(name, _)| name.as_str()).collect();
        let listed = self.ids.get(&names.join("/")).copied();
        match listed {
            Some(listed) if listed != self.last().id()? => {
                self.open.pop();
                Err(Replaced::error())
            }
            _ => Ok(()),
        }
    }
}
