//! The checksum of a file of this host.

use std::fmt::Write;
use std::fs::File;
use std::io::{self, Read, Seek};

use sha2::{Digest, Sha256};

/// The checksum of a file's first so many bytes, in hexadecimal.
pub(super) fn sha256(mut file: &File, most: u64) -> io::Result<String> {
    file.rewind()?;
    let mut file = file.take(most);
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 128 * 1024];
    loop {
        let count = file.read(&mut buffer)?;
        let Some(bytes @ [_, ..]) = buffer.get(..count) else {
            break;
        };
        hash.update(bytes);
    }
    let mut text = String::new();
    for byte in hash.finalize() {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
    }
    Ok(text)
}
