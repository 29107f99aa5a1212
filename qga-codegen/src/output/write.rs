//! All of the files, or none.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use super::{is_generated, rustfmt, stale, with_path};
use crate::emit::Files;

/// Writes the files, and removes those that earlier runs have left.
///
/// rustfmt lays them out, with the settings that hold in the folder. It is found as `cargo fmt` finds
/// it: by the variable `RUSTFMT` of the environment, or else by its name.
///
/// All of them are written beside their places before the first one is put there, so that a full
/// disk leaves the folder as it was.
///
/// # Errors
///
/// When the folder cannot be made or written, when a file is in the way that was not generated, and
/// when rustfmt does not run or cannot read the code, as where a `reply_limit` in the data file lacks
/// a bracket. The error names the file.
pub fn write(folder: &Path, files: &Files) -> io::Result<()> {
    let files = rustfmt::laid_out(folder, files)?;
    let mut changed = Vec::new();
    for (name, text) in &files {
        let path = folder.join(name);
        if differs(&path, text)? {
            changed.push((path, text));
        }
    }
    let stale = stale(folder, &files)?;
    fs::create_dir_all(folder).map_err(with_path(folder))?;
    let mut drafts = Drafts(Vec::new());
    for (path, text) in &changed {
        drafts.add(path, text)?;
    }
    drafts.publish()?;
    for path in stale {
        fs::remove_file(&path).map_err(with_path(&path))?;
    }
    Ok(())
}

/// Whether a file must be written; what may not be is an error. An unchanged file keeps its time,
/// and what depends on it need not be built again.
fn differs(path: &Path, text: &str) -> io::Result<bool> {
    let kind = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata.file_type(),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(true),
        Err(error) => return Err(with_path(path)(error)),
    };
    let refuse = |why: &str| {
        Err(with_path(path)(io::Error::new(
            ErrorKind::AlreadyExists,
            why,
        )))
    };
    if kind.is_dir() {
        refuse("is a folder, and a generated file belongs there")
    } else if !kind.is_file() {
        refuse("is no regular file, and a generated one belongs there")
    } else if !is_generated(path)? {
        refuse("was not generated, and would be overwritten")
    } else {
        Ok(fs::read(path).map_err(with_path(path))? != text.as_bytes())
    }
}

/// Temporary files and the places that they are for. Those that are left are removed.
struct Drafts(Vec<(PathBuf, PathBuf)>);

impl Drafts {
    fn add(&mut self, path: &Path, text: &str) -> io::Result<()> {
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{}.new", std::process::id()));
        let draft = path.with_file_name(name);
        self.0.push((draft.clone(), path.to_owned()));
        fs::write(&draft, text).map_err(with_path(path))
    }

    fn publish(&mut self) -> io::Result<()> {
        while let Some((draft, path)) = self.0.last() {
            fs::rename(draft, path).map_err(with_path(path))?;
            self.0.pop();
        }
        Ok(())
    }
}

impl Drop for Drafts {
    fn drop(&mut self) {
        for (draft, _) in &self.0 {
            // The error that has led here matters more than one of tidying up.
            let _ = fs::remove_file(draft);
        }
    }
}
