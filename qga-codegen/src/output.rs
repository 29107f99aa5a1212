//! Generated files and the folder that they are in.

mod rustfmt;
mod write;

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::emit::{Files, HEADER};

pub use write::write;

/// How a folder differs from what would be generated.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Drift {
    /// The file is not there.
    Missing(PathBuf),
    /// The file has other contents from this line on.
    Changed(PathBuf, usize),
    /// The file was generated once and would not be any more.
    Stale(PathBuf),
}

impl fmt::Display for Drift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(path) => write!(f, "{}: is missing", path.display()),
            Self::Changed(path, line) => {
                write!(f, "{}:{line}: is not as it was generated", path.display())
            }
            Self::Stale(path) => write!(f, "{}: is not generated any more", path.display()),
        }
    }
}

/// Where a folder differs from the files that belong there, as rustfmt lays them out.
///
/// # Errors
///
/// When the folder cannot be read, and as [`write()`] when the code cannot be laid out. The error
/// names the file.
pub fn drift(folder: &Path, files: &Files) -> io::Result<Vec<Drift>> {
    let files = rustfmt::laid_out(folder, files)?;
    let mut found = Vec::new();
    for (name, text) in &files {
        let path = folder.join(name);
        match std::fs::read_to_string(&path) {
            Ok(old) if old == *text => {}
            Ok(old) => found.push(Drift::Changed(path, first_difference(&old, text))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                found.push(Drift::Missing(path));
            }
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                found.push(Drift::Changed(path, 1));
            }
            Err(error) => return Err(with_path(&path)(error)),
        }
    }
    found.extend(stale(folder, &files)?.into_iter().map(Drift::Stale));
    Ok(found)
}

/// Generated files that do not belong to `files`. What was written by hand is none of ours.
fn stale(folder: &Path, files: &Files) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(found),
        Err(error) => return Err(with_path(folder)(error)),
    };
    for entry in entries {
        let entry = entry.map_err(with_path(folder))?;
        let path = entry.path();
        let name = path.file_name().and_then(|name| name.to_str());
        let known = name.is_some_and(|name| files.contains_key(name));
        let is_rust = path.extension().is_some_and(|extension| extension == "rs");
        // Reading anything but a regular file may fail, or wait for ever.
        let is_file = || entry.file_type().map(|kind| kind.is_file());
        if is_rust && !known && is_file().map_err(with_path(&path))? && is_generated(&path)? {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// Whether a file begins as generated ones do.
fn is_generated(path: &Path) -> io::Result<bool> {
    let mut start = Vec::with_capacity(HEADER.len());
    let mut file = File::open(path)
        .map_err(with_path(path))?
        .take(HEADER.len() as u64);
    file.read_to_end(&mut start).map_err(with_path(path))?;
    Ok(start == HEADER.as_bytes())
}

/// Adds the file to an error.
fn with_path(path: &Path) -> impl Fn(io::Error) -> io::Error {
    move |error| io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

fn first_difference(old: &str, new: &str) -> usize {
    let same = old
        .split('\n')
        .zip(new.split('\n'))
        .take_while(|(old, new)| old == new);
    same.count() + 1
}
