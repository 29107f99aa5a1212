//! Going on with what an earlier copy has left.

use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::checksum::sha256;
use super::guest_temp::GuestTemp;
use super::host::{Source, Target, blocking, local};
use super::listing::Listing;
use super::verify::{Check, verify};
use super::{CopyFault, Transfer};
use crate::guest::{Guest, GuestError};

const NOT_A_FOLDER: &str = "a folder cannot be resumed, only a single file";

/// A file, of which alone a part is kept.
pub(super) fn check(listing: &Listing, shown: &str) -> Result<(), GuestError> {
    if listing.is_folder() {
        return Err(CopyFault::Refused(NOT_A_FOLDER).at(shown));
    }
    Ok(())
}

/// Whether what is there may be of use after this error.
pub(super) fn keeps(error: &GuestError) -> bool {
    let GuestError::Copy { fault, .. } = error else {
        return true;
    };
    !matches!(**fault, CopyFault::Mismatch | CopyFault::Changed(_))
}

/// The part in the guest, and how much of it is the beginning of the source.
pub(super) async fn in_guest(
    transfer: &mut Transfer,
    source: &Arc<Source>,
    listing: &Listing,
) -> Result<(GuestTemp, u64), GuestError> {
    let Transfer { guest, remote, .. } = transfer;
    check(listing, &transfer.local.display().to_string())?;
    let (size, id) = match listing.entries.first() {
        Some(entry) => (entry.size, entry.id),
        None => (0, None),
    };
    let path = transfer.local.clone();
    let key = blocking(move || {
        let path = path.canonicalize()?;
        Ok(key(&[&this_host(), path.as_os_str().as_encoded_bytes()]))
    });
    let key = key.await.map_err(|error| local(&transfer.local, error))?;
    let (mut temp, there) = GuestTemp::resume(guest, remote, key, transfer.replace).await?;
    let keep = (1..=size).contains(&there);
    temp.renew(keep, there).await?;
    if !keep {
        return Ok((temp, 0));
    }
    let file = Arc::clone(source);
    let sum = blocking(move || sha256(&*file.open("", id)?, there)).await;
    let sum = sum.map_err(|error| local(&transfer.local, error))?;
    if begins_with(guest, &temp.content(), sum, there).await? {
        return Ok((temp, there));
    }
    temp.renew(false, 0).await?;
    Ok((temp, 0))
}

/// The part on this host, and how much of it is the beginning of the source.
pub(super) async fn on_host(
    transfer: &mut Transfer,
    listing: &Listing,
) -> Result<(Target, u64), GuestError> {
    let Transfer { guest, remote, .. } = transfer;
    check(listing, remote)?;
    let size = listing.entries.first().map_or(0, |entry| entry.size);
    let key = key(&[remote.as_bytes()]);
    let (target, there) = Target::resume(&transfer.local, key, transfer.replace).await?;
    if (1..=size).contains(&there) {
        let sum = target.sum(there).await?;
        if begins_with(guest, remote, sum, there).await? {
            target.keep(there);
            return Ok((target, there));
        }
    }
    Ok((target, 0))
}

/// Whether the first so many bytes of a file of the guest have this checksum.
async fn begins_with(
    guest: &Guest,
    path: &str,
    sum: String,
    bytes: u64,
) -> Result<bool, GuestError> {
    let check = Check {
        path: path.to_owned(),
        sum,
        first: Some(bytes),
    };
    match verify(guest, &[check], bytes).await {
        Ok(()) => Ok(true),
        Err(GuestError::Copy { fault, .. }) if matches!(*fault, CopyFault::Mismatch) => Ok(false),
        Err(error) => Err(error),
    }
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
