use std::collections::BTreeMap;

use super::mode::Mode;

/// Folders and files by their path, which has no slash at its end; the root is the empty path.
#[derive(Debug)]
pub(super) struct Tree {
    nodes: BTreeMap<Vec<u8>, Node>,
    /// What clients may still add, in bytes.
    space: usize,
}

#[derive(Debug)]
enum Node {
    Folder,
    File(Vec<u8>),
}

/// Why an operation failed, as the C library says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Errno {
    BadDescriptor,
    Invalid,
    IsFolder,
    NotFolder,
    NotFound,
    NoSpace,
    TooManyOpen,
}

/// The guest's disk, for what clients write.
const SPACE: usize = 256 << 20;
/// What a new file takes even when it is empty.
const NODE_SIZE: usize = 256;

impl Default for Tree {
    fn default() -> Self {
        let mut tree = Self {
            nodes: BTreeMap::new(),
            space: SPACE,
        };
        tree.nodes.insert(Vec::new(), Node::Folder);
        for folder in ["/etc", "/root", "/tmp"] {
            tree.nodes.insert(folder.into(), Node::Folder);
        }
        tree.put(b"/etc/hostname", b"test-guest\n".to_vec());
        tree
    }
}

impl Tree {
    /// Puts a file in, with the folders above it.
    pub(super) fn put(&mut self, path: &[u8], content: Vec<u8>) {
        let mut whole = Vec::new();
        for name in names(path) {
            self.nodes.entry(whole.clone()).or_insert(Node::Folder);
            whole.push(b'/');
            whole.extend_from_slice(name);
        }
        self.nodes.insert(whole, Node::File(content));
    }

    /// The path as it is kept. Its folders must exist, it need not.
    pub(super) fn resolve(&self, path: &[u8]) -> Result<Vec<u8>, Errno> {
        if path.is_empty() {
            return Err(Errno::NotFound);
        }
        let mut whole = Vec::new();
        for name in path.split(|byte| *byte == b'/') {
            match self.nodes.get(&whole) {
                Some(Node::Folder) => {}
                Some(Node::File(_)) => return Err(Errno::NotFolder),
                None => return Err(Errno::NotFound),
            }
            match name {
                b"" | b"." => {}
                b".." => whole.truncate(whole.iter().rposition(|byte| *byte == b'/').unwrap_or(0)),
                _ => {
                    whole.push(b'/');
                    whole.extend_from_slice(name);
                }
            }
        }
        Ok(whole)
    }

    /// Opens a path, and makes or empties the file if the mode says so.
    pub(super) fn open(&mut self, path: &[u8], mode: Mode) -> Result<Vec<u8>, Errno> {
        if path.ends_with(b"/") && mode.creates() {
            return Err(Errno::IsFolder);
        }
        let path = self.resolve(path)?;
        match self.nodes.get_mut(&path) {
            Some(Node::Folder) if mode.writes() => return Err(Errno::IsFolder),
            Some(Node::File(content)) if mode.truncates() => {
                self.space = SPACE.min(self.space + content.len());
                *content = Vec::new();
            }
            Some(Node::File(_) | Node::Folder) => {}
            None if mode.creates() => {
                self.spend(path.len() + NODE_SIZE)?;
                self.nodes.insert(path.clone(), Node::File(Vec::new()));
            }
            None => return Err(Errno::NotFound),
        }
        Ok(path)
    }

    /// A file's content; a folder has none.
    pub(super) fn file(&self, path: &[u8]) -> Option<&[u8]> {
        match self.nodes.get(path)? {
            Node::File(content) => Some(content),
            Node::Folder => None,
        }
    }

    /// Writes at a position; what lies between the end and it becomes zeros.
    pub(super) fn write(&mut self, path: &[u8], at: i64, bytes: &[u8]) -> Result<(), Errno> {
        let start = usize::try_from(at).map_err(|_| Errno::NoSpace)?;
        let end = start.checked_add(bytes.len()).ok_or(Errno::NoSpace)?;
        let length = self.file(path).ok_or(Errno::IsFolder)?.len();
        self.spend(end.saturating_sub(length))?;
        if let Some(Node::File(content)) = self.nodes.get_mut(path) {
            content.resize(length.max(end), 0);
            if let Some(place) = content.get_mut(start..end) {
                place.copy_from_slice(bytes);
            }
        }
        Ok(())
    }

    fn spend(&mut self, bytes: usize) -> Result<(), Errno> {
        self.space = self.space.checked_sub(bytes).ok_or(Errno::NoSpace)?;
        Ok(())
    }
}

impl Errno {
    pub(super) fn text(self) -> &'static [u8] {
        match self {
            Errno::BadDescriptor => b"Bad file descriptor",
            Errno::Invalid => b"Invalid argument",
            Errno::IsFolder => b"Is a directory",
            Errno::NotFolder => b"Not a directory",
            Errno::NotFound => b"No such file or directory",
            Errno::NoSpace => b"No space left on device",
            Errno::TooManyOpen => b"Too many open files",
        }
    }
}

fn names(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    path.split(|byte| *byte == b'/')
        .filter(|name| !name.is_empty())
}
