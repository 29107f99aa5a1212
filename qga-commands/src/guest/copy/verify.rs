//! Comparing checksums.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use super::CopyFault;
use super::checksum::sha256;
use super::entry::{Entry, Kind};
use super::host::{Source, blocking, local};
use super::listing::Listing;
use super::names::place;
use super::steps::{batches, most};
use crate::guest::process::Output;
use crate::guest::scripts::CHECKSUMS;
use crate::guest::shell::{NO_SHELL, SCRIPT_TIMEOUT, may_have_shell};
use crate::guest::{Guest, GuestError};

/// Slower than this no guest reads its own disk, in bytes a second.
pub(super) const SLOWEST: u64 = 1 << 20;

const NO_CHECKSUMS: &str = "the guest has no program that makes SHA-256 checksums";

/// A file of the guest whose checksum is wanted.
pub(super) struct Summed {
    pub(super) path: String,
    /// Only so many bytes count.
    pub(super) first: Option<u64>,
}

/// Fails if the guest cannot make checksums.
pub(super) async fn check(guest: &Guest, remote: &str) -> Result<(), GuestError> {
    let output = if may_have_shell(guest).await? {
        CHECKSUMS.run(guest, &["together"], SCRIPT_TIMEOUT).await?
    } else {
        None
    };
    made(output, remote).map(drop)
}

/// Fails if a file of the guest is not what it has to be, or if nothing is known of it.
pub(super) fn verify<'a>(
    files: &[Summed],
    sums: &[String],
    wanted: impl IntoIterator<Item = &'a str>,
) -> Result<(), GuestError> {
    let (mut sums, mut wanted) = (sums.iter(), wanted.into_iter());
    let mut is_alike = |_: &Summed| match (sums.next(), wanted.next()) {
        (Some(sum), Some(wanted)) => !sum.is_empty() && sum == wanted,
        _ => false,
    };
    match files.iter().find(|file| !is_alike(file)) {
        Some(file) => Err(CopyFault::Mismatch.at(&*file.path)),
        None => Ok(()),
    }
}

/// The checksums of files of the guest, which have so many bytes; empty where the guest gives none.
pub(super) async fn sums(
    guest: &Guest,
    files: &[Summed],
    bytes: u64,
) -> Result<Vec<String>, GuestError> {
    let mut sums = vec![String::new(); files.len()];
    let within = SCRIPT_TIMEOUT + Duration::from_secs(bytes / SLOWEST);
    for how in ["together", "each", "first"] {
        let files = files.iter().zip(&mut sums);
        let files: Vec<_> = files.filter(|(file, _)| file.how() == how).collect();
        let paths: Vec<_> = files.iter().map(|(file, _)| file.path.as_str()).collect();
        let mut left = files.into_iter();
        for batch in batches(paths.into_iter(), most(guest, CHECKSUMS)) {
            let now: Vec<_> = left.by_ref().take(batch.len()).collect();
            let sizes: Vec<_> = now.iter().map(|(file, _)| file.size()).collect();
            let mut args = vec![how];
            for (size, path) in sizes.iter().zip(&batch) {
                args.extend(size.as_deref());
                args.push(path);
            }
            let output = CHECKSUMS.run(guest, &args, within).await?;
            let path = batch.first().copied().unwrap_or_default();
            let output = made(output, path)?;
            let lines = output.stdout.split(|byte| *byte == b'\n');
            for ((_, sum), line) in now.into_iter().zip(lines) {
                let digits = line.get(..64).unwrap_or_default();
                *sum = String::from_utf8_lossy(digits).into_owned();
            }
        }
    }
    Ok(sums)
}

/// The checksum of the first so many bytes of a file of this host.
pub(super) async fn sum(
    root: &Path,
    source: &Arc<Source>,
    entry: &Entry,
    bytes: u64,
) -> Result<String, GuestError> {
    let (from, path, id) = (Arc::clone(source), entry.path.clone(), entry.id);
    let sum = blocking(move || sha256(&*from.open(&path, id)?, bytes)).await;
    sum.map_err(|error| local(&place(root, &entry.path), error))
}

/// The checksums of all files of the list on this host, made in the background.
pub(super) fn sums_here(root: &Path, source: &Arc<Source>, listing: &Listing) -> SumsHere {
    let (root, source) = (root.to_owned(), Arc::clone(source));
    let files: Vec<_> = listing.of_kind(Kind::File).cloned().collect();
    let mut task = JoinSet::new();
    task.spawn(async move {
        let mut sums = Vec::new();
        for file in &files {
            sums.push(sum(&root, &source, file, file.size).await?);
        }
        Ok(sums)
    });
    SumsHere(task)
}

/// A task that ends when this is dropped.
pub(super) struct SumsHere(JoinSet<Result<Vec<String>, GuestError>>);

impl SumsHere {
    pub(super) async fn all(mut self) -> Result<Vec<String>, GuestError> {
        let joined = self.0.join_next().await;
        joined.and_then(Result::ok).ok_or(GuestError::Stopped)?
    }
}

impl Summed {
    /// Programs write a name beside each checksum, and break the line where that does.
    fn how(&self) -> &'static str {
        let odd = |c: char| c == '\\' || c.is_control();
        match self.first {
            Some(_) => "first",
            None if self.path.contains(odd) => "each",
            None => "together",
        }
    }

    fn size(&self) -> Option<String> {
        self.first.map(|size| size.to_string())
    }
}

fn made(output: Option<Output>, path: &str) -> Result<Output, GuestError> {
    let output = output.ok_or_else(|| CopyFault::Refused(NO_SHELL).at(path))?;
    match output.status.code() {
        Some(0) => Ok(output),
        Some(127) => Err(CopyFault::Refused(NO_CHECKSUMS).at(path)),
        _ => Err(CopyFault::Program(output).at(path)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_which_a_checksum_is_missing_is_no_copy() {
        let files = ["/a", "/b"].map(|path| Summed {
            path: path.into(),
            first: None,
        });
        let [sum, other, none] = ["aa", "bb", ""].map(str::to_owned);
        let verified = |theirs: &[&String], ours: &[&str]| {
            let theirs: Vec<_> = theirs.iter().map(|sum| (*sum).clone()).collect();
            verify(&files, &theirs, ours.iter().copied()).is_ok()
        };
        assert!(verified(&[&sum, &other], &["aa", "bb"]));
        assert!(!verified(&[&sum, &other], &["aa", "aa"]));
        assert!(!verified(&[&sum, &other], &["aa"]));
        assert!(!verified(&[&sum], &["aa", "bb"]));
        assert!(!verified(&[&sum, &none], &["aa", ""]));
    }
}
