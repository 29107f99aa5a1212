//! Files that others have written, read without waiting for them and only up to a limit.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

/// The longest line of a table in `/proc` that is looked at, in bytes. A socket's path has 108 at most.
const LINE: usize = 4096;

/// Opens a regular file. A pipe in its place is not waited for.
fn open(path: &Path) -> io::Result<File> {
    let is_regular = |is_file: bool| {
        let error = || io::Error::other("it is not a regular file");
        is_file.then_some(()).ok_or_else(error)
    };
    is_regular(path.metadata()?.is_file())?;
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(flags.bits().cast_signed());
    let file = options.open(path)?;
    is_regular(file.metadata()?.is_file())?;
    Ok(file)
}

/// Reads a file, and returns whether that was all of it.
pub(super) fn read(path: &Path, limit: u64) -> io::Result<(Vec<u8>, bool)> {
    let mut bytes = Vec::new();
    let mut file = open(path)?.take(limit + 1);
    file.read_to_end(&mut bytes)?;
    let is_all = bytes.len() as u64 <= limit;
    bytes.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    Ok((bytes, is_all))
}

/// Calls back for each of the first lines of a file, without its end. A longer line than any that makes sense
/// is passed over.
pub(super) fn lines(path: &Path, most: usize, mut each: impl FnMut(&[u8])) -> io::Result<()> {
    let mut file = BufReader::with_capacity(64 * 1024, open(path)?);
    let mut line = Vec::new();
    for _ in 0..most {
        line.clear();
        if (&mut file).take(LINE as u64).read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        each(line.strip_suffix(b"\n").unwrap_or(&line));
    }
    Err(io::Error::other(format!("it has more than {most} lines")))
}

pub(super) fn path(bytes: &[u8]) -> PathBuf {
    OsString::from_vec(bytes.to_vec()).into()
}

/// A text that others have written, for people to read.
pub(super) fn text(bytes: &[u8], most_characters: usize) -> String {
    // Each character that is shown comes from at least one byte, and takes at most four.
    let bytes = bytes.get(..most_characters * 4).unwrap_or(bytes);
    let text = String::from_utf8_lossy(bytes);
    text.chars().take(most_characters).collect()
}
