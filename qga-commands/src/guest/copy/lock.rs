//! One process alone goes on with a part of the guest.

use std::env;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::PathBuf;

use super::host::is_same_file;

/// A file of this host that is locked as long as this exists, and then removed.
#[derive(Debug)]
pub(super) struct Lock {
    path: PathBuf,
    /// Whoever closes it, be it by dying, gives up the lock.
    _file: File,
}

impl Lock {
    /// It fails with `WouldBlock` where another process has it. It blocks, as far as a disk does.
    pub(super) fn take(id: &str) -> io::Result<Self> {
        let path = env::temp_dir().join(format!("qga-copy-{id}.lock"));
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt;
            let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
            options.mode(0o600);
            options.custom_flags(i32::try_from(flags.bits()).unwrap_or_default());
        }
        let file = options.open(&path)?;
        file.try_lock()?;
        // Whoever had it may just have removed it.
        if is_same_file(&file, &path)? {
            Ok(Self { path, _file: file })
        } else {
            Err(io::ErrorKind::WouldBlock.into())
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // While it is locked, so that nobody else can have locked this very file.
        let _ = fs::remove_file(&self.path);
    }
}
