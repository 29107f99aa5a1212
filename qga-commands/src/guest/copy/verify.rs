//! Comparing checksums.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::CopyFault;
use super::checksum::sha256;
use super::entry::Entry;
use super::host::{Source, blocking, local};
use super::names::place;
use super::steps::{batches, most};
use crate::guest::process::Output;
use crate::guest::scripts::CHECKSUMS;
use crate::guest::shell::{NO_SHELL, SCRIPT_TIMEOUT, may_have_shell};
use crate::guest::{Guest, GuestError};

/// Slower than this no guest reads its own disk, in bytes a second.
pub(super) const SLOWEST: u64 = 1 << 20;

const NO_CHECKSUMS: &str = "the guest has no program that makes SHA-256 checksums";

/// A file of the guest, and what its checksum has to be.
pub(super) struct Check {
    pub(super) path: String,
    pub(super) sum: String,
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

/// Fails if a file of the guest is not what it has to be.
pub(super) async fn verify(guest: &Guest, checks: &[Check], bytes: u64) -> Result<(), GuestError> {
    let alike = compare(guest, checks, bytes).await?;
    let mut compared = checks.iter().zip(alike);
    match compared.find(|(_, is_alike)| !is_alike) {
        Some((check, _)) => Err(CopyFault::Mismatch.at(&*check.path)),
        None => Ok(()),
    }
}

/// Compares files of the guest with what they have to be: which of them are so.
pub(super) async fn compare(
    guest: &Guest,
    checks: &[Check],
    bytes: u64,
) -> Result<Vec<bool>, GuestError> {
    let mut alike = vec![false; checks.len()];
    let within = SCRIPT_TIMEOUT + Duration::from_secs(bytes / SLOWEST);
    for how in ["together", "each", "first"] {
        let checks = checks.iter().zip(&mut alike);
        let checks: Vec<_> = checks.filter(|(check, _)| check.how() == how).collect();
        let paths: Vec<_> = checks
            .iter()
            .map(|(check, _)| check.path.as_str())
            .collect();
        let mut left = checks.into_iter();
        for batch in batches(paths.into_iter(), most(guest, CHECKSUMS)) {
            let now: Vec<_> = left.by_ref().take(batch.len()).collect();
            let sizes: Vec<_> = now.iter().map(|(check, _)| check.size()).collect();
            let mut args = vec![how];
            for (size, path) in sizes.iter().zip(&batch) {
                args.extend(size.as_deref());
                args.push(path);
            }
            let output = CHECKSUMS.run(guest, &args, within).await?;
            let path = batch.first().copied().unwrap_or_default();
            let output = made(output, path)?;
            let lines = output.stdout.split(|byte| *byte == b'\n');
            for ((check, alike), line) in now.into_iter().zip(lines) {
                *alike = line.get(..64) == Some(check.sum.as_bytes());
            }
        }
    }
    Ok(alike)
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

impl Check {
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
