//! Generated files and the folder that they are in.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::emit::{Files, MARK};

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

/// Where a folder differs from the files that belong there.
///
/// # Errors
///
/// When the folder cannot be read.
pub fn drift(folder: &Path, files: &Files) -> io::Result<Vec<Drift>> {
    let mut found = Vec::new();
    for (name, text) in files {
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
            Err(error) => return Err(error),
        }
    }
    found.extend(stale(folder, files)?.into_iter().map(Drift::Stale));
    Ok(found)
}

/// Writes the files, and removes those that earlier runs have left.
///
/// # Errors
///
/// When the folder cannot be made or written.
pub fn write(folder: &Path, files: &Files) -> io::Result<()> {
    std::fs::create_dir_all(folder)?;
    for path in stale(folder, files)? {
        std::fs::remove_file(path)?;
    }
    for (name, text) in files {
        let path = folder.join(name);
        // An unchanged file keeps its time, and what depends on it need not be built again.
        if std::fs::read_to_string(&path).is_ok_and(|old| old == *text) {
            continue;
        }
        std::fs::write(path, text)?;
    }
    Ok(())
}

/// Generated files that do not belong to `files`. What was written by hand is none of ours.
fn stale(folder: &Path, files: &Files) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(found),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        let known = name.is_some_and(|name| files.contains_key(name));
        let is_rust = path.extension().is_some_and(|extension| extension == "rs");
        if is_rust && !known && std::fs::read_to_string(&path)?.starts_with(MARK) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn first_difference(old: &str, new: &str) -> usize {
    let same = old
        .split('\n')
        .zip(new.split('\n'))
        .take_while(|(old, new)| old == new);
    same.count() + 1
}
