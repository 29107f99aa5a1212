//! Comparing checksums.

use std::fmt::Write;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::CopyFault;
use super::local::{blocking, local};
use super::shell::{CHECKSUMS, NO_SHELL, USUAL, batches, may_have_one, run};
use crate::guest::process::Output;
use crate::guest::{Guest, GuestError};

/// Slower than this no guest reads its own disk, in bytes a second.
const SLOWEST: u64 = 1 << 20;

const NO_CHECKSUMS: &str = "the guest has no program that makes SHA-256 checksums";

/// Fails if the guest cannot make checksums.
pub(super) async fn check(guest: &Guest, remote: &str) -> Result<(), GuestError> {
    let output = if may_have_one(guest).await? {
        run(guest, CHECKSUMS, &[], USUAL).await?
    } else {
        None
    };
    made(output, remote).map(drop)
}

/// Compares files of the guest with files of this host.
pub(super) async fn verify(
    guest: &Guest,
    remote: &[String],
    on_host: Vec<PathBuf>,
    bytes: u64,
) -> Result<(), GuestError> {
    let mut on_host = on_host.into_iter();
    let within = USUAL + Duration::from_secs(bytes / SLOWEST);
    for batch in batches(remote, 1) {
        let output = run(guest, CHECKSUMS, &batch, within).await?;
        let output = made(output, batch.first().copied().unwrap_or_default())?;
        let mut sums = output.stdout.split(|byte| *byte == b'\n');
        for (path, file) in batch.into_iter().zip(&mut on_host) {
            let sum = sums.next().and_then(|line| line.get(..64));
            if sum != Some(checksum(file).await?.as_bytes()) {
                return Err(CopyFault::Mismatch.at(path));
            }
        }
    }
    Ok(())
}

fn made(output: Option<Output>, path: &str) -> Result<Output, GuestError> {
    let output = output.ok_or_else(|| CopyFault::Refused(NO_SHELL).at(path))?;
    match output.status.code() {
        Some(0) => Ok(output),
        Some(127) => Err(CopyFault::Refused(NO_CHECKSUMS).at(path)),
        _ => Err(CopyFault::Program(output).at(path)),
    }
}

async fn checksum(path: PathBuf) -> Result<String, GuestError> {
    let shown = path.clone();
    let sum = blocking(move || sha256(&path)).await;
    sum.map_err(|error| local(&shown, error))
}

/// In hexadecimal.
fn sha256(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 128 * 1024];
    loop {
        let count = file.read(&mut buffer)?;
        let Some(bytes @ [_, ..]) = buffer.get(..count) else {
            break;
        };
        hash.update(bytes);
    }
    let digest = hash.finalize();
    let mut text = String::new();
    for byte in digest {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
    }
    Ok(text)
}
