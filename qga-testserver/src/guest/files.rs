//! The guest's files, in memory, and the handles that clients have open.

mod errno;
mod handle;
#[cfg(unix)]
pub(crate) mod host;
pub(crate) mod kernel;
mod mode;
mod paths;
mod tree;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use errno::Errno;
use handle::Handle;
use mode::Mode;
pub(crate) use paths::Why;
pub(crate) use tree::Stat;
use tree::{Node, Tree};

use crate::profile::Platform;
use crate::wire::reply::Failure;

/// Files and handles; both belong to the agent, not to a client.
#[derive(Debug)]
pub(crate) struct Files {
    /// Made when something of it is needed first: of thousands of guests, few have their files used.
    tree: LazyLock<Tree>,
    handles: BTreeMap<i64, Handle>,
    next: i64,
    /// Where files are that were removed, by their old paths.
    removed: BTreeMap<Vec<u8>, Vec<u8>>,
    /// The files of the host that the guest has instead of those in memory.
    #[cfg(unix)]
    pub(crate) host: Option<host::HostFiles>,
}

/// Something in the tree that is no file.
pub(crate) enum Special {
    Folder,
    Fifo,
    Socket,
    /// It leads to this path.
    Link(Vec<u8>),
}

/// Bytes that were read, and whether the read ran into the end.
pub(crate) struct Chunk {
    pub(crate) bytes: Vec<u8>,
    pub(crate) eof: bool,
}

/// As many as a process may usually have open.
const HANDLE_LIMIT: usize = 1000;
/// The number of the first handle after a boot.
const FIRST: i64 = 1000;
/// The most that one read gives.
const READ_LIMIT: i64 = 48 << 20;

impl Default for Files {
    fn default() -> Self {
        Self {
            tree: LazyLock::new(linux_tree),
            handles: BTreeMap::new(),
            next: FIRST,
            removed: BTreeMap::new(),
            #[cfg(unix)]
            host: None,
        }
    }
}

impl Files {
    /// Puts a file in for the test.
    pub(crate) fn put(&mut self, path: &[u8], content: Vec<u8>) {
        #[cfg(unix)]
        if let Some(host) = &self.host {
            return host.put(path, &content);
        }
        self.tree.put(path, Node::file(content));
    }

    /// Puts a file in that the kernel makes up, which the host's folder has none of.
    pub(crate) fn put_kernel_file(&mut self, path: &[u8], content: Vec<u8>) {
        self.tree.put(path, Node::file(content));
    }

    /// Puts something in that is no file.
    pub(crate) fn put_special(&mut self, path: &[u8], special: Special) {
        #[cfg(unix)]
        if let Some(host) = &self.host {
            return host.put_special(path, special);
        }
        let node = match special {
            Special::Folder => Node::Folder,
            Special::Fifo => Node::Fifo,
            Special::Socket => Node::Socket,
            Special::Link(target) => Node::Link(target),
        };
        self.tree.put(path, node);
    }

    /// Replaces a file, or makes it with its folders, for a client.
    pub(crate) fn replace(&mut self, path: &[u8], content: Vec<u8>) -> Result<(), &'static [u8]> {
        #[cfg(unix)]
        if let Some(host) = &self.host {
            host.put(path, &content);
            return Ok(());
        }
        let replaced = self.tree.put_for_client(path, content);
        replaced.map_err(Errno::text)
    }

    /// Makes a folder in one that is there, unless something of its name is.
    pub(crate) fn make_folder(&mut self, path: &[u8]) -> bool {
        let parent = path.iter().rposition(|byte| *byte == b'/');
        let parent = parent.and_then(|end| path.get(..end)).unwrap_or_default();
        let free = self.exists(parent) && !self.exists(path);
        if free {
            self.tree.put(path, Node::Folder);
        }
        free
    }

    /// Makes an empty file in a folder that is there, or empties one.
    pub(crate) fn make_file(&mut self, path: &[u8]) -> bool {
        Mode::parse(b"w").is_some_and(|mode| self.tree.open(path, mode).is_ok())
    }

    /// Removes all that the path leads to. What a client has open stays for it, and for `append`.
    pub(crate) fn remove(&mut self, path: &[u8]) {
        let removed = self.tree.remove(path);
        for handle in self.handles.values_mut() {
            handle.follow(&removed);
        }
        self.removed.extend(removed);
        self.forget_removed();
    }

    /// Adds to a file's end what a program has written; the file may have been removed since.
    pub(crate) fn append(&mut self, path: &[u8], bytes: &[u8]) {
        let path = self.removed.get(path).map_or(path, Vec::as_slice);
        let end = self.tree.content(path).map_or(0, <[u8]>::len);
        // A full disk is the program's trouble.
        let end = i64::try_from(end).unwrap_or(i64::MAX);
        let _ = self.tree.write(path, end, bytes);
    }

    /// The numbers of the open files.
    pub(crate) fn open_handles(&self) -> Vec<i64> {
        #[cfg(unix)]
        if let Some(host) = &self.host {
            return host.open_handles();
        }
        self.handles.keys().copied().collect()
    }

    /// What a file holds.
    pub(crate) fn content(&self, path: &[u8]) -> Option<Vec<u8>> {
        #[cfg(unix)]
        if let Some(host) = &self.host {
            return host.content(path);
        }
        let path = self.tree.resolve(path).ok()?;
        self.tree.content(&path).map(<[u8]>::to_vec)
    }

    /// Whether a path leads to anything.
    pub(crate) fn exists(&self, path: &[u8]) -> bool {
        #[cfg(unix)]
        if let Some(host) = &self.host {
            return host.exists(path);
        }
        let path = self.tree.resolve(path);
        path.is_ok_and(|path| self.tree.node(&path).is_some())
    }

    /// The agent was killed: handles are gone with what they held back. It keeps the next one's number in
    /// its state folder.
    pub(crate) fn restart(&mut self) {
        self.handles.clear();
        self.forget_removed();
        #[cfg(unix)]
        if let Some(host) = &mut self.host {
            host.forget_handles();
        }
    }

    /// The machine was started again: so was the counting, since the state folder is kept in memory.
    pub(crate) fn reboot(&mut self) {
        self.restart();
        self.next = FIRST;
    }

    /// A new handle's number.
    pub(crate) fn open(
        &mut self,
        path: &[u8],
        mode: &[u8],
        platform: Platform,
    ) -> Result<i64, Failure> {
        let Some(parsed) = Mode::parse(mode) else {
            return Err(Failure::generic(
                [b"invalid file open mode '", mode, b"'"].concat(),
            ));
        };
        let failed = |why: &[u8]| {
            // Windows does not tell the mode.
            let mode: &[&[u8]] = match platform {
                Platform::Windows => &[],
                _ => &[b" (mode: '", mode, b"')"],
            };
            let text: &[&[u8]] = &[
                b"failed to open file '",
                path,
                b"'",
                &mode.concat(),
                b": ",
                why,
            ];
            Failure::generic(text.concat())
        };
        let number = self.next;
        #[cfg(unix)]
        if let Some(host) = &mut self.host {
            let opened = host.open(number, path, parsed);
            opened.map_err(|error| failed(host::words(&error).as_bytes()))?;
            self.next += 1;
            return Ok(number);
        }
        let handle = self
            .open_handle(path, parsed)
            .map_err(|errno| failed(errno.opening(platform)))?;
        self.next += 1;
        self.handles.insert(number, handle);
        Ok(number)
    }

    /// Writes out what is left and forgets the handle.
    pub(crate) fn close(&mut self, number: i64) -> Result<(), Failure> {
        #[cfg(unix)]
        if let Some(host) = &mut self.host {
            return host.close(number).ok_or_else(|| unknown(number));
        }
        let mut handle = self
            .handles
            .remove(&number)
            .ok_or_else(|| unknown(number))?;
        let flushed = handle.flush(&mut self.tree);
        self.forget_removed();
        flushed.map_err(|errno| failed("close handle", errno))
    }

    /// Writes out what is left.
    pub(crate) fn flush(&mut self, number: i64) -> Result<(), Failure> {
        #[cfg(unix)]
        if self.host.is_some() {
            // Nothing is held back.
            return self.check_open(number);
        }
        let (handle, tree) = self.opened(number)?;
        handle
            .flush(tree)
            .map_err(|errno| failed("flush file", errno))
    }

    /// Reads from where the handle is.
    pub(crate) fn read(&mut self, number: i64, count: Option<i64>) -> Result<Chunk, Failure> {
        let count = count.unwrap_or(4096);
        let wanted = usize::try_from(count).ok().filter(|_| count <= READ_LIMIT);
        let wanted = wanted.ok_or_else(|| bad_count(count));
        #[cfg(unix)]
        if let Some(host) = &mut self.host {
            let file = host.file(number).ok_or_else(|| unknown(number))?;
            let wanted = wanted?;
            let bytes = host::read(file, wanted);
            let bytes = bytes.map_err(|error| host_failed("read file", &error))?;
            let eof = bytes.len() < wanted;
            return Ok(Chunk { bytes, eof });
        }
        let fed = self.is_fed(number);
        let (handle, tree) = self.opened(number)?;
        let wanted = wanted?;
        let bytes = handle
            .read(tree, wanted, fed)
            .map_err(|errno| failed("read file", errno))?;
        Ok(Chunk {
            eof: bytes.len() < wanted,
            bytes,
        })
    }

    /// Writes where the handle is; `data` is checked only once the handle is known.
    pub(crate) fn write(
        &mut self,
        number: i64,
        data: impl FnOnce() -> Result<Vec<u8>, Failure>,
        count: Option<i64>,
    ) -> Result<usize, Failure> {
        self.check_open(number)?;
        let mut data = data()?;
        if let Some(count) = count {
            let taken = usize::try_from(count)
                .ok()
                .filter(|taken| *taken <= data.len());
            data.truncate(taken.ok_or_else(|| bad_count(count))?);
        }
        #[cfg(unix)]
        if let Some(host) = &mut self.host {
            let file = host.file(number).ok_or_else(|| unknown(number))?;
            let written = std::io::Write::write_all(file, &data);
            written.map_err(|error| host_failed("write to file", &error))?;
            return Ok(data.len());
        }
        let (handle, tree) = self.opened(number)?;
        handle
            .turn_to_writing(tree)
            .map_err(|errno| failed("seek file", errno))?;
        handle
            .write(tree, &data)
            .map_err(|errno| failed("write to file", errno))?;
        Ok(data.len())
    }

    /// Moves to a position, and says which it is.
    pub(crate) fn seek(&mut self, number: i64, offset: i64, whence: i64) -> Result<i64, Failure> {
        let bad_whence = || Failure::generic(format!("invalid whence code {whence}"));
        #[cfg(unix)]
        if let Some(host) = &mut self.host {
            let file = host.file(number).ok_or_else(|| unknown(number))?;
            let to = host::seek_from(offset, whence).ok_or_else(bad_whence)?;
            let position = to.and_then(|to| std::io::Seek::seek(file, to));
            let position = position.map_err(|error| host_failed("seek file", &error))?;
            return Ok(i64::try_from(position).unwrap_or(i64::MAX));
        }
        let (handle, tree) = self.opened(number)?;
        if !(0..=2).contains(&whence) {
            return Err(bad_whence());
        }
        handle
            .seek(tree, offset, whence)
            .map_err(|errno| failed("seek file", errno))
    }

    fn check_open(&mut self, number: i64) -> Result<(), Failure> {
        #[cfg(unix)]
        if let Some(host) = &mut self.host {
            return host.file(number).map(drop).ok_or_else(|| unknown(number));
        }
        self.opened(number).map(drop)
    }

    /// Whether somebody has the other end of a pipe open.
    fn is_fed(&self, number: i64) -> bool {
        let opened = self.handles.get(&number);
        opened.is_some_and(|opened| {
            self.handles
                .values()
                .any(|other| other.feeds(opened.path()))
        })
    }

    fn open_handle(&mut self, path: &[u8], mode: Mode) -> Result<Handle, Errno> {
        if self.handles.len() >= HANDLE_LIMIT {
            return Err(Errno::TooManyOpen);
        }
        self.tree
            .open(path, mode)
            .map(|path| Handle::new(path, mode))
    }

    fn opened(&mut self, number: i64) -> Result<(&mut Handle, &mut Tree), Failure> {
        let handle = self
            .handles
            .get_mut(&number)
            .ok_or_else(|| unknown(number))?;
        Ok((handle, &mut self.tree))
    }
}

/// What a guest has from the beginning.
fn linux_tree() -> Tree {
    let mut tree = Tree::default();
    tree.put(kernel::BOOT_ID, Node::file(kernel::boot_id()));
    tree.put(kernel::SELF, Node::file(kernel::stat()));
    tree
}

fn unknown(number: i64) -> Failure {
    Failure::generic(format!("handle '{number}' has not been found"))
}

fn bad_count(count: i64) -> Failure {
    Failure::generic(format!("value '{count}' is invalid for argument count"))
}

#[cfg(unix)]
fn host_failed(what: &str, error: &std::io::Error) -> Failure {
    Failure::generic(format!("failed to {what}: {}", host::words(error)))
}

fn failed(what: &str, errno: Errno) -> Failure {
    let colon: &[u8] = if errno == Errno::Unknown { b"" } else { b": " };
    Failure::generic([b"failed to ", what.as_bytes(), colon, errno.text()].concat())
}

#[cfg(test)]
mod tests {
    use super::Files;

    #[test]
    fn files_that_nobody_uses_are_not_made() {
        let mut files = Files::default();
        files.restart();
        assert!(
            format!("{files:?}").contains("tree: LazyLock(<uninit>)"),
            "{files:?}"
        );
        assert!(files.exists(b"/proc/self/stat"));
    }
}
