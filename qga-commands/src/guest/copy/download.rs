//! From the guest to this host.

use std::collections::HashSet;
use std::io::SeekFrom;
use std::path::Path;

use super::entry::{Entry, Kind};
use super::fetch_bundles::FetchBundles;
use super::finishing::Finishing;
use super::host::{Published, Sink, Target, local};
use super::listing::{EMPTY_LIMIT, Listing};
use super::names::join;
use super::report::Report;
use super::verify::{Summed, sums, verify};
use super::{Copied, CopyFault, Transfer, links, owner, resume, steps};
use crate::guest::error::within;
use crate::guest::files::{Handle, OpenOptions};
use crate::guest::pace::{self, Pace};
use crate::guest::retries::Retries;
use crate::guest::{Guest, GuestError};

/// How many chunks of 256 KiB make a run, between which other tasks have their turn.
const RUN: usize = 32;

pub(super) async fn download(mut transfer: Transfer) -> Result<Copied, GuestError> {
    let Transfer {
        guest,
        remote,
        max_bytes,
        ..
    } = &transfer;
    let mut listing = list(guest, remote, *max_bytes).await?;
    owner::prepare_here(&transfer.ownership, &mut listing, remote)?;
    links::read(guest, remote, &mut listing).await?;
    // It takes long, so it must be known whose the open files are.
    guest.get_acquainted().await;
    let kind = if listing.is_folder() {
        Kind::Folder
    } else {
        Kind::File
    };
    let target = if transfer.resume {
        resume::on_host(&mut transfer, kind, &mut listing).await?
    } else {
        Target::begin(&transfer.local, kind, transfer.replace).await?
    };
    match fill(&mut transfer, &mut listing, &target).await {
        Ok(synced) => {
            let root = listing.entries.first().filter(|_| listing.is_folder());
            let published = target.publish(root.and_then(|root| root.meta)).await?;
            let Published { atomic, .. } = published;
            Ok(listing.copied(atomic, synced && published.synced))
        }
        Err(error) => {
            if !transfer.resume {
                target.remove().await;
            }
            Err(error)
        }
    }
}

/// What there is in the guest; a guest without a shell can only tell how long a file is.
async fn list(guest: &Guest, remote: &str, max_bytes: u64) -> Result<Listing, GuestError> {
    if let Some(listing) = steps::list(guest, remote, max_bytes).await? {
        return Ok(listing);
    }
    let mut listing = Listing::default();
    let size = length(guest, remote).await?;
    let added = listing.add(Entry::file(size), max_bytes);
    added.map(|()| listing).map_err(|fault| fault.at(remote))
}

/// How long a file is, where it can be told; some of `/proc` cannot be sought, and are listed as empty.
async fn length(guest: &Guest, path: &str) -> Result<u64, GuestError> {
    let mut retries = Retries::new();
    loop {
        let length = async {
            let mut handle = open(guest, path).await?;
            let length = handle.seek(SeekFrom::End(0)).await;
            handle.close_quietly().await;
            match length {
                Err(error) if is_refused(&error) && !is_stream(&error) => Ok(0),
                length => length,
            }
        };
        match length.await {
            Ok(length) => return Ok(length),
            Err(error) => retries.wait_after(error).await?,
        }
    }
}

fn is_refused(error: &GuestError) -> bool {
    let command = error.command_error();
    command.is_some_and(|error| error.agent_error().is_some())
}

/// Whether it is a pipe or a terminal.
fn is_stream(error: &GuestError) -> bool {
    let said = error.command_error().and_then(qga_core::Error::agent_error);
    said.is_some_and(|said| said.desc.contains("Illegal seek"))
}

async fn open(guest: &Guest, path: &str) -> Result<Handle, GuestError> {
    OpenOptions::new().read(true).open_handle(guest, path).await
}

/// Copies all of it to the target's content. Whether all of it is on the disk.
async fn fill(
    transfer: &mut Transfer,
    listing: &mut Listing,
    target: &Target,
) -> Result<bool, GuestError> {
    transfer.report.total(listing.bytes);
    let folders = listing
        .of_kind(Kind::Folder)
        .map(|entry| entry.path.clone());
    target.make_folders(folders.collect()).await?;
    let finishing = fetch_all(transfer, listing, target).await?;
    resume::mark_grown(&transfer.guest, &transfer.remote, listing).await;
    let finished = if transfer.verify {
        let summed = |entry: &Entry| Summed {
            path: join(&transfer.remote, &entry.path),
            // It may have grown since.
            first: (entry.grown || entry.there > 0).then_some(entry.size),
        };
        let files: Vec<_> = listing.of_kind(Kind::File).map(summed).collect();
        // The guest reads its files while this host does the same.
        let sums = sums(&transfer.guest, &files, listing.bytes).await?;
        let finished = finishing.all().await?;
        let ours = finished
            .iter()
            .map(|it| it.sum.as_deref().unwrap_or_default());
        verify(&files, &sums, ours)?;
        finished
    } else {
        finishing.all().await?
    };
    let mut synced = finished.iter().all(|finished| finished.synced);
    // After all files, so that there is none that one of them could be written through.
    links::make_here(target, listing).await?;
    // The innermost first, since a folder may become one that we may not go through. The first one is
    // done when it has been moved.
    let folders = listing.of_kind(Kind::Folder).rev();
    let metas = folders.map(|entry| {
        let meta = entry.meta.filter(|_| !entry.path.is_empty());
        (entry.path.clone(), meta)
    });
    synced &= target.finish_folders(metas.collect()).await?;
    Ok(synced)
}

/// Copies the files, which are then on their last way to the disk.
async fn fetch_all(
    transfer: &mut Transfer,
    listing: &mut Listing,
    target: &Target,
) -> Result<Finishing, GuestError> {
    let mut pace = Pace::new();
    let mut finishing = Finishing::below(&transfer.local);
    let bundles = FetchBundles {
        transfer,
        listing,
        target,
        pace: &mut pace,
        finishing: &mut finishing,
        fetched: HashSet::new(),
    };
    let fetched = bundles.all().await?;
    for index in 0..listing.entries.len() {
        let left = transfer.max_bytes.saturating_sub(listing.bytes);
        let Some(entry) = listing.entries.get(index) else {
            continue;
        };
        if entry.kind != Kind::File || fetched.contains(&index) {
            continue;
        }
        let path = join(&transfer.remote, &entry.path);
        let mut fetch = Fetch {
            guest: &transfer.guest,
            path: &path,
            entry,
            left,
            most: transfer.max_bytes,
            at: entry.there,
            grown: false,
            pace: &mut pace,
            sink: Sink::create(target.creation(&entry.path, entry.there)),
            local: &transfer.local,
            report: &mut transfer.report,
        };
        if !entry.has_arrived() {
            fetch.all().await.map_err(|error| within(error, &path))?;
        }
        let Fetch {
            at, grown, sink, ..
        } = fetch;
        transfer.report.done(at);
        let (meta, sum) = (entry.meta, transfer.verify);
        listing.copied_file(index, at, grown);
        pace.file_done();
        finishing.add(index, sink, meta, sum).await?;
    }
    Ok(finishing)
}

/// A file of the guest on its way.
struct Fetch<'a> {
    guest: &'a Guest,
    path: &'a str,
    entry: &'a Entry,
    /// How many bytes may come beside those that were listed, so that there are no more than `most` in all.
    left: u64,
    most: u64,
    at: u64,
    /// There is more than was listed.
    grown: bool,
    pace: &'a mut Pace,
    sink: Sink,
    local: &'a Path,
    report: &'a mut Report,
}

impl Fetch<'_> {
    async fn all(&mut self) -> Result<(), GuestError> {
        let mut retries = Retries::new();
        loop {
            let start = self.at;
            match self.attempt().await {
                Ok(()) => return Ok(()),
                Err(error) => {
                    if self.at > start && self.entry.size > 0 {
                        retries = Retries::new();
                    }
                    retries.wait_after(error).await?;
                }
            }
            if self.entry.size == 0 {
                // It may be made as it is read, so a half of it fits no other half.
                let again = self.sink.begin_again().await;
                again.map_err(|error| local(self.local, error))?;
                self.at = 0;
            }
        }
    }

    /// Reads from where it is to the end.
    async fn attempt(&mut self) -> Result<(), GuestError> {
        let mut handle = open(self.guest, self.path).await?;
        if self.at > 0 {
            handle.seek(SeekFrom::Start(self.at)).await?;
        }
        let mut end = false;
        while !end && !self.grown {
            let until = self.pace.end();
            let run = handle.read_run(RUN, |chunk| self.take(chunk));
            end = pace::until(until, run).await?;
            let room = self.sink.room().await;
            room.map_err(|error| local(self.local, error))?;
            self.check_limits()?;
        }
        if self.at < self.entry.size {
            self.check_short(&mut handle).await?;
        }
        // What was read is there, whatever becomes of the handle.
        handle.close_quietly().await;
        Ok(())
    }

    fn take(&mut self, mut chunk: Vec<u8>) -> bool {
        let size = self.entry.size;
        if size > 0 {
            let wanted = usize::try_from(size - self.at).unwrap_or(usize::MAX);
            self.grown |= chunk.len() > wanted;
            chunk.truncate(wanted);
        }
        self.at = self.at.saturating_add(chunk.len() as u64);
        self.pace.moved(chunk.len() as u64);
        if chunk.is_empty() {
            return !self.grown;
        }
        self.report.file(&self.entry.path, self.at, size);
        let room = self.sink.push(chunk);
        room && !self.grown && self.check_limits().is_ok()
    }

    /// What was listed as empty may have something in it, but not without end.
    fn check_limits(&self) -> Result<(), GuestError> {
        if self.entry.size > 0 {
            return Ok(());
        }
        if self.at > EMPTY_LIMIT {
            return Err(CopyFault::endless(EMPTY_LIMIT).at(self.path));
        }
        if self.at > self.left {
            return Err(CopyFault::too_many_bytes(self.most).at(self.path));
        }
        Ok(())
    }

    /// A file that is still said to be as long as it was listed has never been so, as those of `/sys`.
    async fn check_short(&mut self, handle: &mut Handle) -> Result<(), GuestError> {
        let length = handle.seek(SeekFrom::End(0)).await?;
        if length == self.entry.size {
            return Ok(());
        }
        Err(CopyFault::shrunk(self.entry.size, self.at).at(self.path))
    }
}
