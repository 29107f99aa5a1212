//! Files of this host, without blocking the runtime and without leaving the tree that was named.
//!
//! A folder is opened once, and what is in it is reached from there, never through a link: whoever may
//! write to some folder on the way can put a link in place of what was looked at before.

mod folder;
mod parts;
mod sink;
mod source;
mod target;
mod trail;

use std::fmt;
use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::task::spawn_blocking;

use super::CopyFault;
use crate::guest::GuestError;

pub(super) use parts::Part;
pub(super) use sink::{Finished, Sink};
pub(super) use source::{Source, walk};
pub(super) use target::{Published, Target};

/// Whether a path still leads to this very file.
pub(super) fn is_same_file(file: &File, path: &Path) -> io::Result<bool> {
    let there = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        there => there?,
    };
    Ok(folder::id(&there) == folder::id(&file.metadata()?))
}

/// Does what blocks elsewhere.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let done = spawn_blocking(work).await;
    done.unwrap_or_else(|_| Err(io::Error::other("the runtime has ended")))
}

pub(super) fn local(path: &Path, error: io::Error) -> GuestError {
    let inner = error.get_ref();
    let fault = match inner.and_then(|inner| inner.downcast_ref::<Replaced>()) {
        Some(replaced) => CopyFault::Changed(replaced.to_string().into()),
        None => CopyFault::Local(error),
    };
    fault.at(path.display().to_string())
}

/// What was listed is not there any more.
#[derive(Debug)]
struct Replaced;

impl Replaced {
    fn error() -> io::Error {
        io::Error::other(Self)
    }
}

impl fmt::Display for Replaced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("something else lies there than when it was listed; it was left alone")
    }
}

impl std::error::Error for Replaced {}

/// A time that this host cannot say becomes 1970.
fn time(seconds: i64) -> SystemTime {
    let distance = Duration::from_secs(seconds.unsigned_abs());
    let time = if seconds < 0 {
        UNIX_EPOCH.checked_sub(distance)
    } else {
        UNIX_EPOCH.checked_add(distance)
    };
    time.unwrap_or(UNIX_EPOCH)
}

/// In seconds since 1970, rounded down.
fn seconds(time: SystemTime) -> i64 {
    match time.duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
        Err(before) => {
            let before = before.duration();
            let seconds = before.as_secs() + u64::from(before.subsec_nanos() > 0);
            i64::try_from(seconds).map_or(i64::MIN, |seconds| -seconds)
        }
    }
}
