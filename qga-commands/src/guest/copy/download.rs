//! From the guest to this host.

use std::io::SeekFrom;
use std::path::{Path, PathBuf};

use super::listing::{Entry, Kind, Listing, parse};
use super::local::{LocalTemp, Sink, blocking, local, make_folder, set};
use super::patience::Patience;
use super::report::Report;
use super::shell::{LIST, USUAL, may_have_one, run};
use super::verify::verify;
use super::{Copied, CopyFault, Transfer};
use crate::guest::files::{Handle, OpenOptions};
use crate::guest::{Guest, GuestError};

/// How many chunks of 256 KiB make a run, between which other tasks have their turn.
const RUN: usize = 16;

pub(super) async fn download(mut transfer: Transfer) -> Result<Copied, GuestError> {
    let Transfer {
        guest,
        remote,
        max_bytes,
        ..
    } = &transfer;
    let listing = list(guest, remote, *max_bytes).await?;
    let kind = if listing.is_folder() {
        Kind::Folder
    } else {
        Kind::File
    };
    let temp = LocalTemp::beside(&transfer.local, kind).await?;
    match fill(&mut transfer, &listing, &temp.content()).await {
        Ok(()) => {
            let root = listing.entries.first().filter(|_| listing.is_folder());
            temp.publish(root.and_then(|root| root.meta)).await?;
            Ok(listing.copied(true))
        }
        Err(error) => {
            temp.remove().await;
            Err(error)
        }
    }
}

/// What there is in the guest; a guest without a shell can only tell how long a file is.
async fn list(guest: &Guest, remote: &str, max_bytes: u64) -> Result<Listing, GuestError> {
    let output = if may_have_one(guest).await? {
        run(guest, LIST, &[remote], USUAL).await?
    } else {
        None
    };
    let Some(output) = output else {
        let mut listing = Listing::default();
        let size = length(guest, remote).await?;
        let entry = Entry {
            path: String::new(),
            kind: Kind::File,
            size,
            meta: None,
        };
        let added = listing.add(entry, max_bytes);
        return added.map(|()| listing).map_err(|fault| fault.at(remote));
    };
    if !output.status.success() {
        return Err(CopyFault::Program(output).at(remote));
    }
    if output.truncated {
        let why = "its list is longer than the agent keeps of a program's output";
        return Err(CopyFault::TooMuch(why).at(remote));
    }
    parse(&output.stdout, max_bytes).map_err(|(path, fault)| fault.at(join(remote, &path)))
}

async fn length(guest: &Guest, path: &str) -> Result<u64, GuestError> {
    let mut patience = Patience::new();
    loop {
        let length = async {
            let mut handle = open(guest, path).await?;
            let length = handle.seek(SeekFrom::End(0)).await?;
            drop(handle.close().await);
            Ok(length)
        };
        match length.await {
            Ok(length) => return Ok(length),
            Err(error) => patience.after(error).await?,
        }
    }
}

async fn open(guest: &Guest, path: &str) -> Result<Handle, GuestError> {
    OpenOptions::new().read(true).open_handle(guest, path).await
}

/// Copies all of it to `content`.
async fn fill(
    transfer: &mut Transfer,
    listing: &Listing,
    content: &Path,
) -> Result<(), GuestError> {
    transfer.report.total(listing.bytes);
    let at = |entry: &Entry| place(content, &entry.path);
    let folders: Vec<_> = listing.of_kind(Kind::Folder).map(at).collect();
    let made = blocking(move || folders.iter().try_for_each(|folder| make_folder(folder)));
    made.await.map_err(|error| local(content, error))?;
    for entry in listing.of_kind(Kind::File) {
        let path = join(&transfer.remote, &entry.path);
        let fetched = fetch(
            &transfer.guest,
            &path,
            entry,
            at(entry),
            &mut transfer.report,
        )
        .await;
        fetched.map_err(|error| within(error, &path))?;
    }
    if transfer.verify {
        let files = || listing.of_kind(Kind::File);
        let remote: Vec<_> = files()
            .map(|entry| join(&transfer.remote, &entry.path))
            .collect();
        let here = files().map(at).collect();
        verify(&transfer.guest, &remote, here, listing.bytes).await?;
    }
    // After all is verified, since a file may become one that we may not read; and the innermost first,
    // since a folder may become one that we may not go through.
    let root = usize::from(listing.is_folder());
    let metas: Vec<_> = listing
        .entries
        .iter()
        .skip(root)
        .rev()
        .filter_map(|entry| Some((at(entry), entry.kind, entry.meta?)))
        .collect();
    let set = blocking(move || {
        let mut metas = metas.iter();
        metas.try_for_each(|(path, kind, meta)| set(path, *kind, *meta))
    });
    set.await.map_err(|error| local(content, error))
}

/// A file of the guest on its way.
struct Fetch<'a> {
    guest: &'a Guest,
    path: &'a str,
    entry: &'a Entry,
    at: u64,
    too_long: bool,
    sink: Sink,
    report: &'a mut Report,
}

async fn fetch(
    guest: &Guest,
    path: &str,
    entry: &Entry,
    to: PathBuf,
    report: &mut Report,
) -> Result<(), GuestError> {
    let mut fetch = Fetch {
        guest,
        path,
        entry,
        at: 0,
        too_long: false,
        sink: Sink::create(to.clone()),
        report,
    };
    fetch.all(&to).await?;
    let Fetch { sink, report, .. } = fetch;
    report.done(entry.size);
    let finished = sink.finish().await;
    finished.map_err(|error| local(&to, error))
}

impl Fetch<'_> {
    async fn all(&mut self, to: &Path) -> Result<(), GuestError> {
        let mut patience = Patience::new();
        loop {
            let start = self.at;
            match self.attempt(to).await {
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

    /// Reads from where it is to the end.
    async fn attempt(&mut self, to: &Path) -> Result<(), GuestError> {
        let mut handle = open(self.guest, self.path).await?;
        if self.at > 0 {
            handle.seek(SeekFrom::Start(self.at)).await?;
        }
        let mut end = false;
        while !end {
            end = handle.read_run(RUN, |chunk| self.take(chunk)).await?;
            self.sink.room().await.map_err(|error| local(to, error))?;
            if self.too_long {
                return Err(CopyFault::Changed("it is longer than it was listed").at(self.path));
            }
        }
        // What was read is there, whatever becomes of the handle.
        drop(handle.close().await);
        if self.at < self.entry.size {
            return Err(CopyFault::Changed("it is shorter than it was listed").at(self.path));
        }
        Ok(())
    }

    fn take(&mut self, chunk: Vec<u8>) -> bool {
        let at = self.at.saturating_add(chunk.len() as u64);
        self.too_long |= at > self.entry.size;
        if self.too_long {
            return false;
        }
        self.at = at;
        let size = self.entry.size;
        self.report.file(&self.entry.path, at, size);
        self.sink.push(chunk)
    }
}

/// Says which file an operation on the guest was about.
pub(super) fn within(error: GuestError, path: &str) -> GuestError {
    match error {
        GuestError::Copy { .. } => error,
        error => CopyFault::Guest(Box::new(error)).at(path),
    }
}

/// A path of the guest below another.
pub(super) fn join(folder: &str, path: &str) -> String {
    match path {
        "" => folder.to_owned(),
        _ => format!("{}/{path}", folder.trim_end_matches('/')),
    }
}

/// A path of this host below another.
pub(super) fn place(folder: &Path, path: &str) -> PathBuf {
    let mut place = folder.to_owned();
    place.extend(path.split('/').filter(|name| !name.is_empty()));
    place
}
