//! Folders that are made once, by whoever wants them first.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// Makes the folder unless it is there, for one caller at a time, in whatever process it is. A folder that was not
/// finished is made anew.
pub(crate) fn built_once(
    folder: &Path,
    build: impl FnOnce(&Path) -> Result<()>,
) -> Result<PathBuf> {
    let parent = folder.parent().context("the folder has no parent")?;
    fs::create_dir_all(parent)?;
    let lock = File::create(folder.with_extension("lock"))?;
    lock.lock()?;
    if !folder.is_dir() {
        let unfinished = folder.with_extension("unfinished");
        if unfinished.exists() {
            fs::remove_dir_all(&unfinished)?;
        }
        fs::create_dir(&unfinished)?;
        build(&unfinished)?;
        fs::rename(&unfinished, folder)?;
    }
    Ok(folder.canonicalize()?)
}
