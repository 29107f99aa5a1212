//! A tree of this host.

use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use super::listing::{Entry, Kind, Listing, Meta};
use super::{CopyFault, names};
use crate::guest::GuestError;

/// What there is to copy. It blocks.
pub(super) fn walk(root: &Path, max_bytes: u64) -> Result<Listing, GuestError> {
    let mut listing = Listing::default();
    // What was named is followed where it is a link, what is found is not.
    let metadata = fs::metadata(root).map_err(local(root))?;
    let mut left = vec![(root.to_owned(), String::new(), metadata)];
    while let Some((file, path, metadata)) = left.pop() {
        let Some(kind) = kind(&metadata) else {
            listing.skipped += 1;
            continue;
        };
        if kind == Kind::Folder {
            left.extend(inside(&file, &path)?);
        }
        let entry = Entry {
            path,
            kind,
            size: if kind == Kind::File {
                metadata.len()
            } else {
                0
            },
            meta: Some(meta(&metadata)),
        };
        let added = listing.add(entry, max_bytes);
        added.map_err(|fault| fault.at(file.display().to_string()))?;
    }
    if listing.entries.is_empty() {
        let fault = CopyFault::Refused("it is neither a file nor a folder");
        return Err(fault.at(root.display().to_string()));
    }
    Ok(listing)
}

fn inside(folder: &Path, path: &str) -> Result<Vec<(PathBuf, String, Metadata)>, GuestError> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(local(folder))? {
        let file = entry.map_err(local(folder))?.path();
        let shown = || file.display().to_string();
        let name = file.file_name().and_then(|name| name.to_str());
        let name = name.ok_or_else(|| CopyFault::UnsafeName("it is not UTF-8").at(shown()))?;
        let below = match path {
            "" => name.to_owned(),
            _ => format!("{path}/{name}"),
        };
        names::check(below.as_bytes(), false)
            .map_err(|why| CopyFault::UnsafeName(why).at(shown()))?;
        let metadata = fs::symlink_metadata(&file).map_err(local(&file))?;
        found.push((file, below, metadata));
    }
    Ok(found)
}

fn kind(metadata: &Metadata) -> Option<Kind> {
    if metadata.is_file() {
        Some(Kind::File)
    } else {
        metadata.is_dir().then_some(Kind::Folder)
    }
}

fn meta(metadata: &Metadata) -> Meta {
    let modified = metadata.modified().unwrap_or(UNIX_EPOCH);
    let modified = match modified.duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
        // Before 1970, rounded down.
        Err(before) => {
            let before = before.duration();
            let seconds = before.as_secs() + u64::from(before.subsec_nanos() > 0);
            i64::try_from(seconds).map_or(i64::MIN, |seconds| -seconds)
        }
    };
    Meta {
        mode: mode(metadata),
        modified,
    }
}

#[cfg(unix)]
fn mode(metadata: &Metadata) -> u32 {
    std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o777
}

#[cfg(not(unix))]
fn mode(metadata: &Metadata) -> u32 {
    if metadata.is_dir() { 0o755 } else { 0o644 }
}

fn local(path: &Path) -> impl Fn(io::Error) -> GuestError {
    move |error| CopyFault::Local(error).at(path.display().to_string())
}
