//! The table of locks in `/proc/locks`.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::bounded;

/// How many locks are looked at, and how many are kept.
const LOCKS: usize = 1_000_000;
const KEPT: usize = 100_000;

#[derive(Debug, Default)]
pub(super) struct Locks(Vec<Lock>);

#[derive(Debug)]
struct Lock {
    pid: u32,
    device: (u32, u32),
    inode: u64,
}

impl Locks {
    pub(super) fn read(path: &Path) -> io::Result<Self> {
        let mut locks = Vec::new();
        bounded::lines(path, LOCKS, |line| {
            let lock = std::str::from_utf8(line).ok().and_then(lock);
            if locks.len() < KEPT {
                locks.extend(lock);
            }
        })?;
        Ok(Self(locks))
    }

    /// The process that has the lock on this file. The file is not locked for that, since nobody who wants its lock must
    /// be kept from it.
    pub(super) fn holder(&self, path: &Path) -> Option<u32> {
        let file = path.symlink_metadata().ok()?;
        let device = rustix::fs::major(file.dev());
        let device = (device, rustix::fs::minor(file.dev()));
        let mut locks = self.0.iter().filter(|lock| lock.inode == file.ino());
        // Btrfs has another number for the device here than there; then who has signed the file is asked.
        let is_its = |lock: &&Lock| lock.device == device || Some(lock.pid) == signer(path);
        Some(locks.find(is_its)?.pid)
    }
}

fn signer(path: &Path) -> Option<u32> {
    let (text, _) = bounded::read(path, 16).ok()?;
    std::str::from_utf8(&text).ok()?.trim().parse().ok()
}

/// Such as `1: FLOCK  ADVISORY  WRITE 4327 fe:00:10987008 0 EOF`; who waits for a lock has `->` before its kind.
fn lock(line: &str) -> Option<Lock> {
    let mut columns = line.split_ascii_whitespace().skip(1);
    (columns.next()? == "FLOCK").then_some(())?;
    let pid = columns.nth(2)?.parse().ok()?;
    let mut file = columns.next()?.splitn(3, ':');
    let major = u32::from_str_radix(file.next()?, 16).ok()?;
    let minor = u32::from_str_radix(file.next()?, 16).ok()?;
    Some(Lock {
        pid,
        device: (major, minor),
        inode: file.next()?.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_seen_while_it_is_held_and_no_longer() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let pid = std::process::id();
        std::fs::write(file.path(), format!("{pid}\n")).unwrap();
        let holder = || {
            let locks = Locks::read(Path::new("/proc/locks")).unwrap();
            locks.holder(file.path())
        };
        assert_eq!(holder(), None);
        file.as_file().lock().unwrap();
        assert_eq!(holder(), Some(pid));
        file.as_file().unlock().unwrap();
        assert_eq!(holder(), None);
    }
}
