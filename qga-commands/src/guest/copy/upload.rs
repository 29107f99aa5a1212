//! From this host to the guest.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::task::{JoinHandle, spawn_blocking};

use super::entry::{Entry, Kind};
use super::guest_temp::GuestTemp;
use super::host::{Source, blocking, local, walk};
use super::listing::{EMPTY_LIMIT, Listing};
use super::names::{join, place};
use super::report::Report;
use super::send_bundles::send_bundles;
use super::steps::{make_folders, set_metadata};
use super::verify::{Summed, sums, sums_here, verify};
use super::{Copied, CopyFault, Transfer, links, owner, resume};
use crate::guest::error::{after_changes, within};
use crate::guest::files::OpenOptions;
use crate::guest::pace::{self, Pace};
use crate::guest::retries::Retries;
use crate::guest::shell::{NO_SHELL, may_have_shell};
use crate::guest::{Guest, GuestError};
use crate::limits;

/// How many chunks of a file are read at once. As many again are with the guest meanwhile.
const RUN: usize = 4;

pub(super) async fn upload(mut transfer: Transfer) -> Result<Copied, GuestError> {
    let (root, max) = (transfer.local.clone(), transfer.max_bytes);
    let walked = blocking(move || Ok(walk(&root, max))).await;
    let (source, mut listing) = walked.map_err(|error| local(&transfer.local, error))??;
    let source = Arc::new(source);
    transfer.report.total(listing.bytes);
    // It takes long, so it must be known whose the open files are.
    transfer.guest.get_acquainted().await;
    let temp = if transfer.resume {
        Some(resume::in_guest(&mut transfer, &source, &mut listing).await?)
    } else if may_have_shell(&transfer.guest).await? {
        let folder = listing.is_folder();
        GuestTemp::beside(&transfer.guest, &transfer.remote, folder, transfer.replace).await?
    } else {
        None
    };
    let Some(mut temp) = temp else {
        return in_place(&mut transfer, &source, &mut listing).await;
    };
    let published = match fill(&mut transfer, &source, &mut listing, &temp.content()).await {
        Ok(()) => temp.publish(listing.bytes).await,
        Err(error) => Err(error),
    };
    if published.is_err() && !transfer.resume {
        temp.remove().await;
    }
    let published = published.map_err(after_changes)?;
    Ok(listing.copied(published.atomic, published.synced))
}

/// Where the guest has no shell, there is nothing but the file's content.
async fn in_place(
    transfer: &mut Transfer,
    source: &Arc<Source>,
    listing: &mut Listing,
) -> Result<Copied, GuestError> {
    let remote = transfer.remote.clone();
    match &*listing.entries {
        [entry] if entry.kind == Kind::File => {}
        _ => return Err(CopyFault::Refused(NO_SHELL).at(remote)),
    }
    transfer.ownership.without_shell(&remote)?;
    let (none, mut pace) = (HashSet::new(), Pace::new());
    send_all(transfer, source, listing, &remote, &none, &mut pace).await?;
    Ok(listing.copied(false, false))
}

/// Copies all of it to `content`.
async fn fill(
    transfer: &mut Transfer,
    source: &Arc<Source>,
    listing: &mut Listing,
    content: &str,
) -> Result<(), GuestError> {
    let remote = transfer.remote.clone();
    let places = [content, &remote];
    owner::try_in_guest(&transfer.guest, &transfer.ownership, listing, places).await?;
    let folders: Vec<_> = listing
        .of_kind(Kind::Folder)
        .map(|entry| join(content, &entry.path))
        .collect();
    make_folders(&transfer.guest, &folders).await?;
    let mut pace = Pace::new();
    let bundled = send_bundles(transfer, source, listing, content, &mut pace).await?;
    send_all(transfer, source, listing, content, &bundled, &mut pace).await?;
    links::make(&transfer.guest, listing, content).await?;
    if transfer.verify {
        let summed = |entry: &Entry| Summed {
            path: join(content, &entry.path),
            first: None,
        };
        let files: Vec<_> = listing.of_kind(Kind::File).map(summed).collect();
        // The guest reads its files while this host does the same.
        let ours = sums_here(&transfer.local, source, listing);
        let theirs = sums(&transfer.guest, &files, listing.bytes).await?;
        let ours = ours.all().await?;
        verify(&files, &theirs, ours.iter().map(String::as_str))?;
    }
    // Before the permissions, as these may be such that an agent that is not root cannot do it any more.
    owner::set_in_guest(&transfer.guest, &transfer.ownership, listing, places).await?;
    set_metadata(&transfer.guest, listing, content, &bundled).await
}

/// Copies the files that are not there already, the first of them to `content` itself if it has no other path.
async fn send_all(
    transfer: &mut Transfer,
    source: &Arc<Source>,
    listing: &mut Listing,
    content: &str,
    there: &HashSet<usize>,
    pace: &mut Pace,
) -> Result<(), GuestError> {
    for index in 0..listing.entries.len() {
        let left = transfer.max_bytes.saturating_sub(listing.bytes);
        let Some(entry) = listing.entries.get(index) else {
            continue;
        };
        if entry.kind != Kind::File || there.contains(&index) {
            continue;
        }
        let (path, remote) = (
            place(&transfer.local, &entry.path),
            join(content, &entry.path),
        );
        let (from, below, id) = (Arc::clone(source), entry.path.clone(), entry.id);
        let file = blocking(move || from.open(&below, id)).await;
        let mut sending = Sending {
            guest: &transfer.guest,
            file: file.map_err(|error| local(&path, error))?,
            path,
            remote: &remote,
            entry,
            limit: match entry.size {
                0 => EMPTY_LIMIT.min(left),
                size => size,
            },
            most: transfer.max_bytes,
            at: entry.there,
            created: entry.there > 0,
            pace: &mut *pace,
            report: &mut transfer.report,
        };
        if !entry.has_arrived() {
            let sent = sending.all().await;
            sent.map_err(|error| sending.failed(within(error, &remote)))?;
        }
        let at = sending.at;
        let grown = sending.check_length().await?;
        transfer.report.done(at);
        listing.copied_file(index, at, grown);
        pace.file_done();
    }
    Ok(())
}

/// A file of this host on its way.
struct Sending<'a> {
    guest: &'a Guest,
    file: Arc<File>,
    path: PathBuf,
    remote: &'a str,
    entry: &'a Entry,
    /// How many bytes are read of it, so that there are no more than `most` in all.
    limit: u64,
    most: u64,
    at: u64,
    created: bool,
    pace: &'a mut Pace,
    report: &'a mut Report,
}

impl Sending<'_> {
    async fn all(&mut self) -> Result<(), GuestError> {
        let mut retries = Retries::new();
        loop {
            let start = self.at;
            match self.attempt().await {
                Ok(()) => return Ok(()),
                Err(error) => {
                    if self.at > start {
                        retries = Retries::new();
                    }
                    retries.wait_after(error).await?;
                }
            }
        }
    }

    /// Writes from where it is to the end.
    async fn attempt(&mut self) -> Result<(), GuestError> {
        let mut options = OpenOptions::new();
        options.write(true);
        if !self.created {
            options.truncate(true).create(true);
        }
        let mut handle = options.open_handle(self.guest, self.remote).await?;
        if self.created {
            // An agent that was killed has not written all that it has taken.
            let length = handle.seek(SeekFrom::End(0)).await?;
            self.at = self.at.min(length);
            handle.seek(SeekFrom::Start(self.at)).await?;
        }
        self.created = true;
        let mut next = ended(&self.path, self.read(self.at)).await?;
        while !next.is_empty() {
            let end = self.at.saturating_add(next.len() as u64);
            // The disk is read while the guest writes.
            let ahead = self.read(end);
            let mut left = next.as_slice();
            while !left.is_empty() {
                let until = self.pace.end();
                let run = handle.write_run(left, |count| self.wrote(count));
                let count = pace::until(until, run).await?;
                left = left.get(count..).unwrap_or_default();
            }
            next = ended(&self.path, ahead).await?;
        }
        handle.close().await
    }

    fn wrote(&mut self, count: usize) {
        self.at = self.at.saturating_add(count as u64);
        self.pace.moved(count as u64);
        self.report.file(&self.entry.path, self.at, self.entry.size);
    }

    /// Says that the guest was changed, if it was.
    fn failed(&self, error: GuestError) -> GuestError {
        if self.created {
            after_changes(error)
        } else {
            error
        }
    }

    /// Begins to read what comes next of the file; nothing at its end.
    fn read(&self, at: u64) -> JoinHandle<io::Result<Vec<u8>>> {
        let (file, left) = (Arc::clone(&self.file), self.limit.saturating_sub(at));
        let run = limits::write_chunk(self.guest.client()).saturating_mul(RUN);
        let wanted = left.min(run as u64);
        spawn_blocking(move || read_at(&file, at, wanted))
    }

    /// Whether there is more of the file than was sent, where that is no error.
    async fn check_length(self) -> Result<bool, GuestError> {
        let Self {
            file,
            path,
            entry,
            at,
            limit,
            most,
            ..
        } = self;
        let looked = blocking(move || {
            let length = file.metadata()?.len();
            let more = at >= limit && !read_at(&file, at, 1)?.is_empty();
            Ok((length, more))
        });
        let (length, more) = looked.await.map_err(|error| local(&path, error))?;
        let fault = match entry.size {
            0 if more && limit == EMPTY_LIMIT => CopyFault::endless(limit),
            0 if more => CopyFault::too_many_bytes(most),
            // One that is still said to be as long has never been so, as those of `/sys`.
            size if at < size && length != size => CopyFault::shrunk(size, at),
            _ => return Ok(more),
        };
        Err(after_changes(fault.at(path.display().to_string())))
    }
}

async fn ended(path: &Path, read: JoinHandle<io::Result<Vec<u8>>>) -> Result<Vec<u8>, GuestError> {
    let chunk = read.await.map_err(|_| GuestError::Stopped)?;
    chunk.map_err(|error| local(path, error))
}

/// What there is from there on; at most so many bytes.
fn read_at(mut file: &File, at: u64, wanted: u64) -> io::Result<Vec<u8>> {
    // In one step, and not in some that double.
    let mut chunk = Vec::with_capacity(usize::try_from(wanted).unwrap_or_default());
    file.seek(SeekFrom::Start(at))?;
    file.take(wanted).read_to_end(&mut chunk)?;
    Ok(chunk)
}
