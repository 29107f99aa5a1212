//! `qga-checksums HOW ...`: prints a line that begins with the SHA-256 checksum for each file.

use std::fmt::Write;

use sha2::{Digest, Sha256};

use super::{Call, Done, Failed, wrong_arguments};
use crate::guest::machine::Machine;
use crate::guest::processes::Script;

pub(super) fn checksums(call: &Call<'_>, machine: &mut Machine) -> Done {
    let Some((how, args)) = call.args.split_first() else {
        return Err(wrong_arguments());
    };
    let mut lines = String::new();
    match how.as_str() {
        "together" | "each" => {
            for path in args {
                lines += &line(machine, path, None)?;
            }
        }
        "first" => {
            for pair in args.chunks(2) {
                let [size, path] = pair else {
                    return Err(wrong_arguments());
                };
                let size = size.parse().map_err(|_| wrong_arguments())?;
                lines += &line(machine, path, Some(size))?;
            }
        }
        _ => return Err(wrong_arguments()),
    }
    Ok(Script::new().stdout(lines))
}

fn line(machine: &Machine, path: &str, first: Option<usize>) -> Result<String, Failed> {
    let content = machine.files.content(path.as_bytes());
    let content = content.ok_or_else(|| {
        let why = machine.files.stat(path, true).err();
        let why = why.unwrap_or("Is a directory");
        Failed(format!("sha256sum: {path}: {why}"), 1)
    })?;
    let content = first
        .and_then(|size| content.get(..size))
        .unwrap_or(&content);
    let mut line = String::new();
    for byte in Sha256::digest(content) {
        // Writing to a string does not fail.
        let _ = write!(line, "{byte:02x}");
    }
    Ok(line + "  -\n")
}
