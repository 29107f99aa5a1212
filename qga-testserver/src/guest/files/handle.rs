use std::collections::BTreeMap;

use super::errno::Errno;
use super::mode::Mode;
use super::tree::{Node, Tree};

/// An open file. Like C's streams it holds written bytes back until something flushes them.
#[derive(Debug)]
pub(super) struct Handle {
    path: Vec<u8>,
    mode: Mode,
    /// Where the held bytes go, or where the next read starts.
    position: i64,
    held: Vec<u8>,
    /// Whether it was read last, so that a write moves it first.
    reading: bool,
}

/// The size of a stream's buffer.
const BUFFER: usize = 4096;

impl Handle {
    pub(super) fn new(path: Vec<u8>, mode: Mode) -> Self {
        Self {
            path,
            mode,
            position: 0,
            held: Vec::new(),
            reading: false,
        }
    }

    /// Whether it feeds those who read from a pipe.
    pub(super) fn feeds(&self, path: &[u8]) -> bool {
        self.mode.writes() && self.path == path
    }

    pub(super) fn path(&self) -> &[u8] {
        &self.path
    }

    /// The file may have been moved to another path.
    pub(super) fn follow(&mut self, moved: &BTreeMap<Vec<u8>, Vec<u8>>) {
        if let Some(path) = moved.get(&self.path) {
            self.path.clone_from(path);
        }
    }

    /// Reads up to `count` bytes. A pipe that nobody feeds is at its end.
    pub(super) fn read(
        &mut self,
        tree: &mut Tree,
        count: usize,
        fed: bool,
    ) -> Result<Vec<u8>, Errno> {
        self.flush(tree)?;
        let bytes = if count == 0 {
            Vec::new()
        } else if !self.mode.reads() {
            return Err(Errno::BadDescriptor);
        } else if tree.node(&self.path) == Some(&Node::Fifo) && !fed {
            Vec::new()
        } else {
            tree.read(&self.path, self.position, count)?
        };
        self.reading = true;
        self.position = advance(self.position, bytes.len());
        Ok(bytes)
    }

    /// The agent moves a file that was read to where it is before it writes.
    pub(super) fn turn_to_writing(&mut self, tree: &Tree) -> Result<(), Errno> {
        if self.reading && tree.node(&self.path) == Some(&Node::Fifo) {
            return Err(Errno::IllegalSeek);
        }
        self.reading = false;
        Ok(())
    }

    /// Takes bytes; whole blocks go out as soon as they do not fit the buffer.
    pub(super) fn write(&mut self, tree: &mut Tree, bytes: &[u8]) -> Result<(), Errno> {
        if bytes.is_empty() {
            return Ok(());
        }
        if !self.mode.writes() {
            return Err(Errno::BadDescriptor);
        }
        self.held.extend_from_slice(bytes);
        if self.held.len() <= BUFFER {
            return Ok(());
        }
        let rest = self
            .held
            .split_off(self.held.len() - self.held.len() % BUFFER);
        self.flush(tree)?;
        self.held = rest;
        Ok(())
    }

    /// Writes out what is held.
    pub(super) fn flush(&mut self, tree: &mut Tree) -> Result<(), Errno> {
        if self.held.is_empty() {
            return Ok(());
        }
        let held = std::mem::take(&mut self.held);
        if self.mode.appends() {
            self.position = self.end(tree);
        }
        tree.write(&self.path, self.position, &held)?;
        self.position = advance(self.position, held.len());
        Ok(())
    }

    /// Moves from the start, the position or the end, for a whence of 0, 1 or 2.
    pub(super) fn seek(&mut self, tree: &mut Tree, offset: i64, whence: i64) -> Result<i64, Errno> {
        self.flush(tree)?;
        match tree.node(&self.path) {
            Some(Node::Fifo) => return Err(Errno::IllegalSeek),
            // The C library notices by itself, where there is something to read, and gives no reason.
            Some(Node::Zero | Node::Full) if self.mode.reads() && whence == 0 && offset < 0 => {
                return Err(Errno::Unknown);
            }
            // A device has no position.
            Some(Node::Null | Node::Zero | Node::Full) => return Ok(0),
            _ => {}
        }
        let base = match whence {
            0 => 0,
            1 => self.position,
            _ => self.end(tree),
        };
        let position = base.checked_add(offset).filter(|position| *position >= 0);
        self.position = position.ok_or(Errno::Invalid)?;
        self.reading = false;
        Ok(self.position)
    }

    /// A folder ends as far away as can be, a device at once.
    fn end(&self, tree: &Tree) -> i64 {
        match tree.node(&self.path) {
            Some(Node::File(content)) => advance(0, content.len()),
            Some(Node::Folder) | None => i64::MAX,
            Some(_) => 0,
        }
    }
}

fn advance(position: i64, count: usize) -> i64 {
    position.saturating_add(i64::try_from(count).unwrap_or(i64::MAX))
}
