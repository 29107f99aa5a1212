//! Going on with what an earlier copy has left.

use std::collections::HashMap;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::entry::{Entry, Kind};
use super::guest_temp::GuestTemp;
use super::host::{Part, Source, Target, blocking, local};
use super::listing::Listing;
use super::names::join;
use super::steps::{batches, list, most, run};
use super::verify::{Summed, sum, sums};
use super::{CopyFault, Transfer};
use crate::guest::scripts::REMOVE;
use crate::guest::{Guest, GuestError};

/// The folder in the guest; the list then says how much of each file is there.
pub(super) async fn in_guest(
    transfer: &mut Transfer,
    source: &Arc<Source>,
    listing: &mut Listing,
) -> Result<GuestTemp, GuestError> {
    let Transfer { guest, remote, .. } = transfer;
    let path = transfer.local.clone();
    let key = blocking(move || {
        let path = path.canonicalize()?;
        Ok(key(&[&this_host(), path.as_os_str().as_encoded_bytes()]))
    });
    let key = key.await.map_err(|error| local(&transfer.local, error))?;
    let folder = listing.is_folder();
    let (temp, bytes) = GuestTemp::resume(guest, remote, folder, key, transfer.replace).await?;
    if bytes == 0 {
        return Ok(temp);
    }
    temp.renew(bytes).await?;
    let content = temp.content();
    let there = match list(guest, &content, transfer.max_bytes).await {
        // What cannot be listed is of no use. What is too much to be listed may be, so it is left alone.
        Err(GuestError::Copy { fault, .. }) if !matches!(*fault, CopyFault::TooMuch(_)) => {
            Listing::default()
        }
        there => there?.unwrap_or_default(),
    };
    let (files, others) = sort(listing, &there);
    let others: Vec<_> = others.iter().map(|path| join(&content, path)).collect();
    for batch in batches(others.iter().map(String::as_str), most(guest, REMOVE)) {
        run(guest, REMOVE, &batch).await?;
    }
    let mut parts = Vec::new();
    for (index, bytes) in files {
        if let Some(entry) = listing.entries.get(index) {
            let sum = sum(&transfer.local, source, entry, bytes).await?;
            parts.push(Part { index, bytes, sum });
        }
    }
    keep(guest, listing, &content, parts).await?;
    Ok(temp)
}

/// The folder on this host; the list then says how much of each file is there.
pub(super) async fn on_host(
    transfer: &mut Transfer,
    kind: Kind,
    listing: &mut Listing,
) -> Result<Target, GuestError> {
    let Transfer { guest, remote, .. } = transfer;
    let key = key(&[remote.as_bytes()]);
    let target = Target::resume(&transfer.local, kind, key, transfer.replace).await?;
    let wanted = listing.entries.iter().enumerate();
    let wanted = wanted.map(|(index, entry)| (entry.path.clone(), (index, entry.kind, entry.size)));
    let parts = target.parts(wanted.collect()).await?;
    keep(guest, listing, remote, parts).await?;
    Ok(target)
}

/// Marks the files of the guest that have grown and are not looked at otherwise, since all of them had arrived. If the guest
/// does not tell, they are taken to be as they were.
pub(super) async fn mark_grown(guest: &Guest, remote: &str, listing: &mut Listing) {
    if !listing.entries.iter().any(Entry::has_arrived) {
        return;
    }
    let Ok(Some(now)) = list(guest, remote, u64::MAX).await else {
        return;
    };
    let files = now.of_kind(Kind::File);
    let now: HashMap<_, _> = files.map(|file| (&*file.path, file.size)).collect();
    let arrived = listing
        .entries
        .iter_mut()
        .filter(|entry| entry.has_arrived());
    for entry in arrived {
        let size = now.get(&*entry.path);
        entry.grown |= size.is_some_and(|size| *size > entry.size);
    }
}

/// Which files may be there, by their numbers in the list, and how many bytes of each; and what has to go.
fn sort(listing: &Listing, there: &Listing) -> (Vec<(usize, u64)>, Vec<String>) {
    let wanted = listing.entries.iter().enumerate();
    let wanted: HashMap<_, _> = wanted.map(|wanted| (&*wanted.1.path, wanted)).collect();
    let (mut files, mut others) = (Vec::new(), Vec::new());
    if there.entries.is_empty() {
        others.push(String::new());
    }
    for found in &there.entries {
        match wanted.get(&*found.path) {
            Some((index, entry)) if entry.kind == found.kind => {
                if (1..=entry.size).contains(&found.size) {
                    files.push((*index, found.size));
                }
            }
            _ => others.push(found.path.clone()),
        }
    }
    (files, others)
}

/// Keeps what is the beginning of a file of the source.
async fn keep(
    guest: &Guest,
    listing: &mut Listing,
    root: &str,
    parts: Vec<Part>,
) -> Result<(), GuestError> {
    let summed = |Part { index, bytes, .. }: &Part| {
        let entry = listing.entries.get(*index)?;
        Some(Summed {
            path: join(root, &entry.path),
            first: (*bytes < entry.size).then_some(*bytes),
        })
    };
    let files: Vec<_> = parts.iter().map_while(summed).collect();
    let bytes = parts.iter().map(|part| part.bytes);
    let sums = sums(guest, &files, bytes.fold(0, u64::saturating_add)).await?;
    for (part, sum) in parts.into_iter().zip(sums) {
        if let Some(entry) = listing.entries.get_mut(part.index)
            && sum == part.sum
        {
            entry.there = part.bytes;
        }
    }
    Ok(())
}

/// The same for the same words only.
fn key(words: &[&[u8]]) -> u64 {
    let mut hash = Sha256::new();
    for word in words {
        hash.update((word.len() as u64).to_be_bytes());
        hash.update(word);
    }
    let hash = hash.finalize();
    hash.iter()
        .take(8)
        .fold(0, |key, byte| key << 8 | u64::from(*byte))
}

/// What tells this host from others.
fn this_host() -> Vec<u8> {
    let mut host = std::fs::read("/etc/machine-id").unwrap_or_default();
    #[cfg(unix)]
    host.extend_from_slice(rustix::system::uname().nodename().to_bytes());
    #[cfg(not(unix))]
    host.extend(
        std::env::var_os("COMPUTERNAME")
            .map(|name| name.into_encoded_bytes())
            .unwrap_or_default(),
    );
    host
}
