//! The table of Unix sockets in `/proc/net/unix`.

use std::collections::HashSet;
use std::io;
use std::path::Path;

use super::bounded;

/// How many sockets are looked at.
const SOCKETS: usize = 1_000_000;
/// How many of those that have a path are kept.
const WITH_PATH: usize = 100_000;

#[derive(Debug)]
pub(super) struct UnixTable {
    /// By their paths; those with the same path are in the order of the table.
    sockets: Vec<Bound>,
}

/// A socket with a path: one that listens, or one that has come of it and has a client.
#[derive(Debug, PartialEq)]
pub(super) struct Bound {
    pub(super) inode: u64,
    pub(super) listens: bool,
    /// The text that its program gave, which may be relative to the folder in which that program was.
    pub(super) path: Vec<u8>,
}

impl UnixTable {
    pub(super) fn read(path: &Path) -> io::Result<Self> {
        let mut sockets = Vec::new();
        bounded::lines(path, SOCKETS, |line| {
            if sockets.len() < WITH_PATH {
                sockets.extend(bound(line));
            }
        })?;
        sockets.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(Self { sockets })
    }

    /// The sockets with this path; if it is known which sockets a process has open, only those.
    pub(super) fn at<'a>(
        &'a self,
        path: &'a [u8],
        of_process: Option<&'a HashSet<u64>>,
    ) -> impl Iterator<Item = &'a Bound> {
        let is_its = move |socket: &&Bound| match of_process {
            // One that waits to be accepted is not open anywhere yet.
            Some(inodes) => socket.inode == 0 || inodes.contains(&socket.inode),
            None => true,
        };
        let start = self.sockets.partition_point(|socket| *socket.path < *path);
        let from = self.sockets.iter().skip(start);
        from.take_while(move |socket| socket.path == path)
            .filter(is_its)
    }

    pub(super) fn by_inode(&self, inode: u64) -> Option<&Bound> {
        self.sockets.iter().find(|socket| socket.inode == inode)
    }

    pub(super) fn sockets(&self) -> &[Bound] {
        &self.sockets
    }
}

/// Columns: address, references, protocol, flags, type, state, inode, path.
fn bound(line: &[u8]) -> Option<Bound> {
    const ACCEPTS_CONNECTIONS: u32 = 0x1_0000;
    const STREAM: &[u8] = b"0001";
    let mut rest = line;
    let mut columns = [&[][..]; 7];
    for column in &mut columns {
        let start = rest.iter().position(|byte| *byte != b' ')?;
        rest = rest.get(start..)?;
        let end = rest.iter().position(|byte| *byte == b' ')?;
        (*column, rest) = rest.split_at_checked(end)?;
    }
    let [_, _, _, flags, kind, _, inode] = columns;
    let path = rest.strip_prefix(b" ")?;
    // An abstract name begins with `@`.
    if kind != STREAM || path.is_empty() || path.starts_with(b"@") {
        return None;
    }
    let flags = u32::from_str_radix(std::str::from_utf8(flags).ok()?, 16).ok()?;
    Some(Bound {
        inode: std::str::from_utf8(inode).ok()?.parse().ok()?,
        listens: flags & ACCEPTS_CONNECTIONS != 0,
        path: path.to_vec(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_the_table_only_streams_with_a_path_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("unix");
        let table = b"Num       RefCount Protocol Flags    Type St Inode Path\n\
            0000000000000000: 00000002 00000000 00010000 0001 01 17 /run/a b.sock\n\
            0000000000000000: 00000003 00000000 00000000 0001 03   18 /run/a b.sock\n\
            0000000000000000: 00000003 00000000 00000000 0001 03 19\n\
            0000000000000000: 00000002 00000000 00010000 0001 01 20 @abstract\n\
            0000000000000000: 00000002 00000000 00000000 0002 01 21 /run/log\n\
            0000000000000000: 00000002 00000000 000\xFF0000 0001 01 22 /x\n\
            \n:\n     \n0: 0 0 0 0001 01 99999999999999999999999 /x";
        std::fs::write(&path, table).unwrap();
        let table = UnixTable::read(&path).unwrap();
        let bound = |inode, listens| Bound {
            inode,
            listens,
            path: b"/run/a b.sock".to_vec(),
        };
        assert_eq!(table.sockets(), [bound(17, true), bound(18, false)]);
    }
}
