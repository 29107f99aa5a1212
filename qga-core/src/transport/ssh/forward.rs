//! The place of a socket that ssh forwards.

use std::fs;
use std::io::{ErrorKind, Result};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::fs::{Mode, mkdir};

use crate::error::Reason;

static NEXT: AtomicU32 = AtomicU32::new(0);

/// A folder of this user alone, for one socket. Both go when this is dropped; who is connected stays connected.
pub(super) struct Folder(PathBuf);

impl Folder {
    pub(super) fn new() -> Result<Self> {
        loop {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let path = std::env::temp_dir().join(format!("qga-{}-{number}", std::process::id()));
            match mkdir(&path, Mode::RWXU).map_err(std::io::Error::from) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => {
                    let words = format!(
                        "no folder for a forwarded socket can be made in {}, which TMPDIR names: {error}",
                        std::env::temp_dir().display()
                    );
                    return Err(Reason::error(error.kind(), words));
                }
                Ok(()) => return Ok(Self(path)),
            }
        }
    }

    pub(super) fn socket(&self) -> PathBuf {
        self.0.join("qga")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // Nothing depends on it.
        let _ = fs::remove_file(self.socket());
        let _ = fs::remove_dir(Path::new(&self.0));
    }
}
