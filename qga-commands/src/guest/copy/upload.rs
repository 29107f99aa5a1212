//! From this host to the guest.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::task::{JoinHandle, spawn_blocking};

use super::download::{join, place, within};
use super::guest_temp::GuestTemp;
use super::listing::{Entry, Kind, Listing};
use super::local::{blocking, local};
use super::patience::Patience;
use super::report::Report;
use super::shell::{FOLDERS, META, NO_SHELL, may_have_one, run_for_all};
use super::stamp::stamp;
use super::verify::verify;
use super::walk::walk;
use super::{Copied, CopyFault, Transfer};
use crate::guest::files::{OpenOptions, WRITE_CHUNK};
use crate::guest::{Guest, GuestError};

pub(super) async fn upload(mut transfer: Transfer) -> Result<Copied, GuestError> {
    let (root, max) = (transfer.local.clone(), transfer.max_bytes);
    let walked = blocking(move || Ok(walk(&root, max))).await;
    let listing = walked.map_err(|error| local(&transfer.local, error))??;
    transfer.report.total(listing.bytes);
    let temp = if may_have_one(&transfer.guest).await? {
        GuestTemp::beside(&transfer.guest, &transfer.remote, listing.is_folder()).await?
    } else {
        None
    };
    let Some(mut temp) = temp else {
        return in_place(&mut transfer, &listing).await;
    };
    let copied = match fill(&mut transfer, &listing, &temp.content()).await {
        Ok(()) => temp.publish().await,
        Err(error) => Err(error),
    };
    if copied.is_err() {
        temp.remove().await;
    }
    copied.map(|()| listing.copied(true))
}

/// Where the guest has no shell, there is nothing but the file's content.
async fn in_place(transfer: &mut Transfer, listing: &Listing) -> Result<Copied, GuestError> {
    let remote = transfer.remote.clone();
    match &*listing.entries {
        [entry] if entry.kind == Kind::File => send(transfer, entry, &remote).await?,
        _ => return Err(CopyFault::Refused(NO_SHELL).at(remote)),
    }
    Ok(listing.copied(false))
}

/// Copies all of it to `content`.
async fn fill(transfer: &mut Transfer, listing: &Listing, content: &str) -> Result<(), GuestError> {
    let at = |entry: &Entry| join(content, &entry.path);
    let folders: Vec<_> = listing.of_kind(Kind::Folder).map(at).collect();
    run_for_all(&transfer.guest, FOLDERS, &folders, 1).await?;
    for entry in listing.of_kind(Kind::File) {
        send(transfer, entry, &at(entry)).await?;
    }
    if transfer.verify {
        let files = || listing.of_kind(Kind::File);
        let here = files()
            .map(|entry| place(&transfer.local, &entry.path))
            .collect();
        let remote: Vec<_> = files().map(at).collect();
        verify(&transfer.guest, &remote, here, listing.bytes).await?;
    }
    // The innermost first: what changes in a folder changes its time.
    let metas: Vec<_> = listing
        .entries
        .iter()
        .rev()
        .filter_map(|entry| Some((entry, entry.meta?)))
        .flat_map(|(entry, meta)| {
            let mode = format!("{:o}", meta.mode);
            [
                mode,
                meta.modified.to_string(),
                stamp(meta.modified),
                at(entry),
            ]
        })
        .collect();
    run_for_all(&transfer.guest, META, &metas, 4).await
}

/// A file of this host on its way.
struct Sending<'a> {
    guest: &'a Guest,
    file: Arc<File>,
    path: PathBuf,
    remote: &'a str,
    entry: &'a Entry,
    at: u64,
    created: bool,
    report: &'a mut Report,
}

async fn send(transfer: &mut Transfer, entry: &Entry, remote: &str) -> Result<(), GuestError> {
    let path = place(&transfer.local, &entry.path);
    let opened = path.clone();
    let file = blocking(move || File::open(opened)).await;
    let mut sending = Sending {
        guest: &transfer.guest,
        file: Arc::new(file.map_err(|error| local(&path, error))?),
        path,
        remote,
        entry,
        at: 0,
        created: false,
        report: &mut transfer.report,
    };
    let result = sending.all().await;
    result.map_err(|error| within(error, remote))?;
    transfer.report.done(entry.size);
    Ok(())
}

impl Sending<'_> {
    async fn all(&mut self) -> Result<(), GuestError> {
        let mut patience = Patience::new();
        loop {
            let start = self.at;
            match self.attempt().await {
                Ok(()) => return Ok(()),
                Err(error) => {
                    if self.at > start {
                        patience = Patience::new();
                    }
                    patience.after(error).await?;
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
            // An agent that was killed has not written all that it has taken (RULES 84).
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
            handle.write(&next).await?;
            self.at = end;
            self.report.file(&self.entry.path, end, self.entry.size);
            next = ended(&self.path, ahead).await?;
        }
        handle.close().await?;
        if self.at < self.entry.size {
            let fault = CopyFault::Changed("it is shorter than it was listed");
            return Err(fault.at(self.path.display().to_string()));
        }
        Ok(())
    }

    /// Begins to read what comes next of the file; nothing at its end.
    fn read(&self, at: u64) -> JoinHandle<io::Result<Vec<u8>>> {
        let file = Arc::clone(&self.file);
        let size = self.entry.size;
        spawn_blocking(move || read_at(&file, at, size))
    }
}

async fn ended(path: &Path, read: JoinHandle<io::Result<Vec<u8>>>) -> Result<Vec<u8>, GuestError> {
    let chunk = read.await.map_err(|_| GuestError::Stopped)?;
    chunk.map_err(|error| match error.kind() {
        io::ErrorKind::FileTooLarge => {
            let fault = CopyFault::Changed("it is longer than it was listed");
            fault.at(path.display().to_string())
        }
        _ => local(path, error),
    })
}

fn read_at(mut file: &File, at: u64, size: u64) -> io::Result<Vec<u8>> {
    let mut chunk = Vec::with_capacity(WRITE_CHUNK);
    file.seek(SeekFrom::Start(at))?;
    file.take(WRITE_CHUNK as u64).read_to_end(&mut chunk)?;
    if at.saturating_add(chunk.len() as u64) > size {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    Ok(chunk)
}
