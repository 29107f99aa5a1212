//! Small files to the guest, many by one program.

use std::collections::HashSet;
use std::io::Read;
use std::sync::Arc;

use tokio::time::Instant;

use super::bundle::{Amount, small, take};
use super::entry::{Entry, Id, Meta};
use super::host::{Source, blocking};
use super::listing::Listing;
use super::{Transfer, ustar};
use crate::guest::pace::{self, Pace};
use crate::guest::scripts::UNPACK;
use crate::guest::shell::SCRIPT_TIMEOUT;
use crate::guest::{Guest, GuestError};
use crate::limits;

/// What the first archive has at most, in bytes.
const FIRST: u64 = 256 << 10;
/// What the owner needs so that a file can be read once more, and written if it has to be.
const OWNER: u32 = 0o600;

/// Copies small files below `content`, and gives their numbers in the list. Those that it leaves out have to go one by
/// one: all of them where the guest has no `tar`, and those that are not as they were listed.
pub(super) async fn send_bundles(
    transfer: &mut Transfer,
    source: &Arc<Source>,
    listing: &mut Listing,
    content: &str,
    pace: &mut Pace,
) -> Result<HashSet<usize>, GuestError> {
    let mut amount = Amount::new(FIRST, carried(&transfer.guest, content));
    let most = amount.now();
    let files = small(&listing.entries, |entry| {
        entry.there == 0
            && entry.meta.is_some()
            && ustar::holds_path(&entry.path)
            && room(entry) <= most
    });
    let mut sent = HashSet::new();
    let mut left = &*files;
    while !left.is_empty() {
        let room = |index| [listing.entries.get(index).map_or(0, room)];
        let files = read(source, listing, take(&mut left, [amount.now()], room)).await;
        let archive = archive(&files);
        let begun = Instant::now();
        let args = [content];
        let unpacked = UNPACK.run_with_stdin(&transfer.guest, &args, &archive, SCRIPT_TIMEOUT);
        let unpacked = pace::until(pace.end(), unpacked).await?;
        if !unpacked.is_some_and(|output| output.status.success()) {
            break;
        }
        amount.took(begun.elapsed());
        for file in files {
            let size = file.bytes.len() as u64;
            transfer.report.file(&file.path, size, size);
            transfer.report.done(size);
            listing.copied_file(file.index, size, file.grown);
            pace.moved(size);
            pace.file_done();
            sent.insert(file.index);
        }
    }
    Ok(sent)
}

/// Whether a file that was sent with others has the time that it is to have.
pub(super) fn has_time(meta: Meta) -> bool {
    ustar::holds_time(meta.modified)
}

/// Whether a file that was sent with others has the permissions that it is to have.
pub(super) fn has_mode(meta: Meta) -> bool {
    meta.mode & OWNER == OWNER
}

/// How long an archive may be that the channel carries, in bytes.
fn carried(guest: &Guest, content: &str) -> u64 {
    let arguments = limits::arguments(guest.client(), UNPACK.text());
    let carried = arguments.saturating_sub(limits::length_of(content)) / 4 * 3;
    carried.saturating_sub(ustar::END.len()) as u64
}

fn room(entry: &Entry) -> u64 {
    ustar::room(entry.size)
}

/// A file that was read.
struct Small {
    index: usize,
    path: String,
    meta: Meta,
    bytes: Vec<u8>,
    grown: bool,
}

/// Reads those that can be read and are at least as long as they were listed.
async fn read(source: &Arc<Source>, listing: &Listing, files: &[usize]) -> Vec<Small> {
    let listed = files.iter().filter_map(|index| {
        let entry = listing.entries.get(*index)?;
        Some((
            *index,
            entry.path.clone(),
            entry.meta?,
            entry.size,
            entry.id,
        ))
    });
    let (source, listed) = (Arc::clone(source), listed.collect::<Vec<_>>());
    let read = blocking(move || {
        let read = |(index, path, meta, size, id): (usize, String, Meta, u64, Option<Id>)| {
            let (bytes, grown) = read_one(&source, &path, size, id)?;
            Some(Small {
                index,
                path,
                meta,
                bytes,
                grown,
            })
        };
        Ok(listed.into_iter().filter_map(read).collect())
    });
    read.await.unwrap_or_default()
}

/// What was listed of a file, and whether there is more; nothing where that is not so simple.
fn read_one(source: &Source, path: &str, size: u64, id: Option<Id>) -> Option<(Vec<u8>, bool)> {
    let file = source.open(path, id).ok()?;
    let mut bytes = Vec::new();
    (&*file)
        .take(size.saturating_add(1))
        .read_to_end(&mut bytes)
        .ok()?;
    let length = usize::try_from(size).ok()?;
    let grown = bytes.len() > length;
    bytes.truncate(length);
    let is_whole = bytes.len() == length && (size > 0 || !grown);
    is_whole.then_some((bytes, grown))
}

fn archive(files: &[Small]) -> Vec<u8> {
    let mut archive = Vec::new();
    for file in files {
        let Meta { mode, modified, .. } = file.meta;
        ustar::append(
            &mut archive,
            &file.path,
            mode | OWNER,
            modified,
            &file.bytes,
        );
    }
    archive.extend(ustar::END);
    archive
}
