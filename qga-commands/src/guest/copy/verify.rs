//! Comparing checksums.

use std::fmt::Write;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::CopyFault;
use super::local::{blocking, local};
use super::shell::{CHECKSUMS, USUAL, batches, run};
use crate::guest::{Guest, GuestError};

/// Slower than this no guest reads its own disk, in bytes a second.
const SLOWEST: u64 = 1 << 20;

/// Compares files of the guest with files of this host; false if the guest cannot make checksums.
pub(super) async fn verify(
    guest: &Guest,
    remote: &[String],
    on_host: Vec<PathBuf>,
    bytes: u64,
) -> Result<bool, GuestError> {
    let mut on_host = on_host.into_iter();
    let within = USUAL + Duration::from_secs(bytes / SLOWEST);
    for batch in batches(remote, 1) {
        let Some(output) = run(guest, CHECKSUMS, &batch, within).await? else {
            return Ok(false);
        };
        let first = || batch.first().copied().unwrap_or_default();
        match output.status.code() {
            Some(0) => {}
            Some(127) => return Ok(false),
            _ => return Err(CopyFault::Program(output).at(first())),
        }
        let mut sums = output.stdout.split(|byte| *byte == b'\n');
        for path in batch {
            let sum = sums.next().and_then(|line| line.get(..64));
            let Some(file) = on_host.next() else {
                return Ok(false);
            };
            if sum != Some(checksum(file).await?.as_bytes()) {
                return Err(CopyFault::Mismatch.at(path));
            }
        }
    }
    Ok(true)
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
