use std::collections::BTreeMap;
use std::sync::Arc;

use super::errno::Errno;
use super::mode::Mode;

mod paths;

use paths::Meta;
pub(crate) use paths::Stat;

/// Folders and files by their path, which has no slash at its end; the root is the empty path.
#[derive(Debug)]
pub(super) struct Tree {
    nodes: BTreeMap<Vec<u8>, Node>,
    /// Where they are not the usual ones.
    meta: BTreeMap<Vec<u8>, Meta>,
    /// What clients may still add, in bytes.
    space: usize,
    /// How many files were removed.
    removals: u64,
}

/// Something that a path leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Node {
    Folder,
    File(Arc<Vec<u8>>),
    /// `/dev/null`: empty, and takes everything.
    Null,
    /// `/dev/zero`: zeros without end, and takes everything.
    Zero,
    /// `/dev/full`: zeros without end, and takes nothing.
    Full,
    /// A pipe with nobody at its other end.
    Fifo,
    Socket,
    Link(Vec<u8>),
}

/// The guest's disk, for what clients write.
const SPACE: usize = 256 << 20;
/// What a new file takes even when it is empty.
const NODE_SIZE: usize = 256;
/// The longest path that Linux takes, and the longest name in one, in bytes.
const PATH_LIMIT: usize = 4095;
const NAME_LIMIT: usize = 255;
/// So many links are followed for one path.
const LINK_LIMIT: usize = 40;
/// The folder in which a missing folder is made when a path goes through it, because a client has
/// no command to make one.
const SCRATCH: &[u8] = b"/tmp";

/// What the paths of removed files begin with; no path that is asked for does.
const NOWHERE: &[u8] = b"\0";

impl Default for Tree {
    fn default() -> Self {
        let mut tree = Self {
            nodes: BTreeMap::new(),
            meta: BTreeMap::new(),
            space: SPACE,
            removals: 0,
        };
        tree.nodes.insert(Vec::new(), Node::Folder);
        for folder in [
            "/tmp",
            "/var/tmp",
            "/root",
            "/home/test",
            "/usr/bin",
            "/bin",
        ] {
            tree.put(folder.as_bytes(), Node::Folder);
        }
        let passwd = "root:x:0:0:root:/root:/bin/sh\ntest:x:1000:1000::/home/test:/bin/sh\n";
        let files = [
            ("/etc/hostname", "test-guest\n"),
            ("/etc/passwd", passwd),
            ("/etc/group", "root:x:0:\ntest:x:1000:\n"),
            ("/bin/sh", "\x7fELF"),
            ("/proc/sys/kernel/ostype", "Linux\n"),
        ];
        for (path, content) in files {
            tree.put(path.as_bytes(), Node::file(content));
        }
        let devices = [
            ("null", Node::Null),
            ("zero", Node::Zero),
            ("full", Node::Full),
        ];
        for (name, device) in devices {
            tree.put(format!("/dev/{name}").as_bytes(), device);
        }
        tree
    }
}

impl Node {
    pub(super) fn file(content: impl Into<Vec<u8>>) -> Self {
        Node::File(Arc::new(content.into()))
    }
}

impl Tree {
    /// Puts something in, with the folders above it.
    pub(super) fn put(&mut self, path: &[u8], node: Node) {
        let mut whole = Vec::new();
        for name in names(path) {
            self.nodes.entry(whole.clone()).or_insert(Node::Folder);
            whole.push(b'/');
            whole.extend_from_slice(name);
        }
        self.meta.remove(&whole);
        self.nodes.insert(whole, node);
    }

    /// Puts a file in for a client, who has only so much space.
    pub(super) fn put_for_client(&mut self, path: &[u8], content: Vec<u8>) -> Result<(), Errno> {
        let before = self.content(path).map_or(0, <[u8]>::len);
        self.spend((path.len() + content.len() + NODE_SIZE).saturating_sub(before))?;
        self.put(path, Node::file(content));
        Ok(())
    }

    /// Removes a path and all below. Files go where no path leads, and this says where each is.
    pub(super) fn remove(&mut self, path: &[u8]) -> BTreeMap<Vec<u8>, Vec<u8>> {
        let below = [path, b"/"].concat();
        let is_removed = |key: &Vec<u8>| key == path || key.starts_with(&below);
        let removed: Vec<_> = self
            .nodes
            .keys()
            .filter(|key| is_removed(key))
            .cloned()
            .collect();
        let mut moved = BTreeMap::new();
        for old in removed {
            if let Some(Node::File(_)) = self.nodes.get(&old) {
                self.removals += 1;
                let new = [NOWHERE, &self.removals.to_be_bytes(), &old].concat();
                self.shift(&old, &new);
                moved.insert(old, new);
            } else {
                self.forget(&old);
            }
        }
        moved
    }

    /// A file that was removed is not open any more.
    pub(super) fn forget_removed(&mut self, path: &[u8]) {
        if Self::is_removed(path) {
            self.forget(path);
        }
    }

    /// The path as it is kept, links followed. Its folders must exist, it need not.
    pub(super) fn resolve(&self, path: &[u8]) -> Result<Vec<u8>, Errno> {
        if path.len() > PATH_LIMIT {
            return Err(Errno::NameTooLong);
        }
        self.follow(Vec::new(), path, &mut 0)
    }

    /// Follows a path from a folder, unless it begins at the root.
    fn follow(&self, from: Vec<u8>, path: &[u8], links: &mut usize) -> Result<Vec<u8>, Errno> {
        if path.is_empty() {
            return Err(Errno::NotFound);
        }
        let mut whole = if path.starts_with(b"/") {
            Vec::new()
        } else {
            from
        };
        for name in path.split(|byte| *byte == b'/') {
            self.check_folder(&whole)?;
            let folder = whole.clone();
            match name {
                b"" | b"." => {}
                b".." => whole.truncate(parent(&whole).len()),
                _ if name.len() > NAME_LIMIT => return Err(Errno::NameTooLong),
                _ => {
                    whole.push(b'/');
                    whole.extend_from_slice(name);
                }
            }
            if let Some(Node::Link(target)) = self.nodes.get(&whole) {
                *links += 1;
                if *links > LINK_LIMIT {
                    return Err(Errno::TooManyLinks);
                }
                whole = self.follow(folder, target, links)?;
            }
        }
        Ok(whole)
    }

    /// Whether a path goes on from here.
    fn check_folder(&self, path: &[u8]) -> Result<(), Errno> {
        match self.nodes.get(path) {
            Some(Node::Folder) => Ok(()),
            Some(_) => Err(Errno::NotFolder),
            None if is_scratch(path) => Ok(()),
            None => Err(Errno::NotFound),
        }
    }

    /// Opens a path, and makes or empties the file if the mode says so.
    pub(super) fn open(&mut self, path: &[u8], mode: Mode) -> Result<Vec<u8>, Errno> {
        if mode.creates()
            && let Some(made) = self.make(path)?
        {
            return Ok(made);
        }
        let path = self.resolve(path)?;
        match self.nodes.get_mut(&path) {
            Some(Node::Folder) if mode.writes() => return Err(Errno::IsFolder),
            Some(Node::Socket) => return Err(Errno::NoDevice),
            Some(Node::Fifo) if !mode.reads() => return Err(Errno::NoDevice),
            Some(Node::File(content)) if mode.truncates() => {
                self.space = SPACE.min(self.space + content.len());
                *content = Arc::default();
                self.touch(&path);
            }
            Some(_) => {}
            None => return Err(Errno::NotFound),
        }
        Ok(path)
    }

    /// Makes a file, unless there is something; the agent does not make what a link leads to.
    fn make(&mut self, path: &[u8]) -> Result<Option<Vec<u8>>, Errno> {
        if path.is_empty() {
            return Err(Errno::NotFound);
        }
        if path.len() > PATH_LIMIT {
            return Err(Errno::NameTooLong);
        }
        let end = path.iter().rposition(|byte| *byte != b'/');
        let bare = path
            .get(..end.map_or(0, |last| last + 1))
            .unwrap_or_default();
        let start = bare.iter().rposition(|byte| *byte == b'/');
        let (above, name) = bare.split_at(start.map_or(0, |slash| slash + 1));
        let folder = match above {
            b"" => Vec::new(),
            _ => self.resolve(above)?,
        };
        self.check_folder(&folder)?;
        // What ends like a folder cannot become a file.
        if bare.len() < path.len() || matches!(name, b"" | b"." | b"..") {
            return Err(Errno::IsFolder);
        }
        if name.len() > NAME_LIMIT {
            return Err(Errno::NameTooLong);
        }
        let whole = [&folder, &b"/"[..], name].concat();
        if self.nodes.contains_key(&whole) {
            return Ok(None);
        }
        self.make_scratch(&whole);
        self.spend(whole.len() + NODE_SIZE)?;
        self.nodes.insert(whole.clone(), Node::file([]));
        // The agent does not heed its umask.
        self.set_mode(&whole, 0o666)?;
        Ok(Some(whole))
    }

    /// A file's content; nothing else has any.
    pub(super) fn content(&self, path: &[u8]) -> Option<&[u8]> {
        match self.nodes.get(path)? {
            Node::File(content) => Some(content),
            _ => None,
        }
    }

    /// What the path, which has been resolved, leads to.
    pub(super) fn node(&self, path: &[u8]) -> Option<&Node> {
        self.nodes.get(path)
    }

    /// Reads up to `count` bytes from a position.
    pub(super) fn read(&self, path: &[u8], at: i64, count: usize) -> Result<Vec<u8>, Errno> {
        match self.nodes.get(path) {
            Some(Node::File(content)) => {
                let start = usize::try_from(at).unwrap_or(usize::MAX).min(content.len());
                let rest = content.get(start..).unwrap_or_default();
                Ok(rest.get(..count).unwrap_or(rest).to_vec())
            }
            Some(Node::Zero | Node::Full) => Ok(vec![0; count]),
            Some(Node::Fifo) => Err(Errno::TryAgain),
            Some(Node::Folder) => Err(Errno::IsFolder),
            _ => Ok(Vec::new()),
        }
    }

    /// Writes at a position; what lies between the end and it becomes zeros.
    pub(super) fn write(&mut self, path: &[u8], at: i64, bytes: &[u8]) -> Result<(), Errno> {
        let length = match self.nodes.get(path) {
            Some(Node::File(content)) => content.len(),
            Some(Node::Full) => return Err(Errno::NoSpace),
            Some(Node::Folder) => return Err(Errno::IsFolder),
            _ => return Ok(()),
        };
        let start = usize::try_from(at).map_err(|_| Errno::NoSpace)?;
        let end = start.checked_add(bytes.len()).ok_or(Errno::NoSpace)?;
        self.spend(end.saturating_sub(length))?;
        self.touch(path);
        if let Some(Node::File(content)) = self.nodes.get_mut(path) {
            let content = Arc::make_mut(content);
            content.resize(length.max(end), 0);
            if let Some(place) = content.get_mut(start..end) {
                place.copy_from_slice(bytes);
            }
        }
        Ok(())
    }

    fn make_scratch(&mut self, path: &[u8]) {
        let folder = parent(path);
        if is_scratch(folder) && self.spend(folder.len() + NODE_SIZE).is_ok() {
            self.nodes.entry(folder.to_vec()).or_insert(Node::Folder);
        }
    }

    fn spend(&mut self, bytes: usize) -> Result<(), Errno> {
        self.space = self.space.checked_sub(bytes).ok_or(Errno::NoSpace)?;
        Ok(())
    }
}

/// Whether the path is right below the folder for whatever clients need.
fn is_scratch(path: &[u8]) -> bool {
    let name = path
        .strip_prefix(SCRATCH)
        .and_then(|rest| rest.strip_prefix(b"/"));
    name.is_some_and(|name| !name.is_empty() && !name.contains(&b'/'))
}

/// The path above one that is kept.
fn parent(path: &[u8]) -> &[u8] {
    let end = path.iter().rposition(|byte| *byte == b'/');
    end.and_then(|end| path.get(..end)).unwrap_or_default()
}

fn names(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    path.split(|byte| *byte == b'/')
        .filter(|name| !name.is_empty())
}
