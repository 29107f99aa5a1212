//! A disk as it was at one moment, looked at from outside the guest.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

/// A disk with one ext4 filesystem, as it was at one moment.
#[derive(Debug)]
pub struct DiskSnapshot {
    raw: PathBuf,
    _folder: TempDir,
}

/// In what state a filesystem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filesystem {
    /// Everything is in its place, as after it was unmounted or frozen.
    Clean,
    /// Its journal must be read first, as after a power failure.
    NeedsRecovery,
}

impl DiskSnapshot {
    /// Reads the disk that is in a file, which QEMU may have open but does not write to any more.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub fn of(disk: &Path) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let raw = folder.path().join("raw");
        let mut command = Command::new("qemu-img");
        // QEMU still has it open, and no longer writes to it.
        command
            .args(["convert", "-U", "-O", "raw"])
            .arg(disk)
            .arg(&raw);
        let output = run(&mut command)?;
        ensure!(output.status.success(), "cannot read the disk: {output:?}");
        Ok(Self {
            raw,
            _folder: folder,
        })
    }

    /// Says in what state the filesystem is.
    ///
    /// # Errors
    ///
    /// When there is no ext4 filesystem on it, or one that is broken.
    pub fn filesystem(&self) -> Result<Filesystem> {
        let header = run(tool("dumpe2fs").arg("-h").arg(&self.raw))?;
        ensure!(header.status.success(), "no ext4 filesystem: {header:?}");
        let features = String::from_utf8_lossy(&header.stdout);
        if features.contains("needs_recovery") {
            return Ok(Filesystem::NeedsRecovery);
        }
        let check = run(tool("e2fsck").arg("-fn").arg(&self.raw))?;
        ensure!(
            check.status.success(),
            "the filesystem is broken: {check:?}"
        );
        Ok(Filesystem::Clean)
    }

    /// Returns the content of a file, as it is without reading the journal. A file that is not there is empty.
    ///
    /// # Errors
    ///
    /// When `debugfs` cannot be run.
    pub fn file(&self, path: &str) -> Result<Vec<u8>> {
        let output = run(tool("debugfs")
            .arg("-R")
            .arg(format!("cat {path}"))
            .arg(&self.raw))?;
        Ok(output.stdout)
    }
}

fn tool(name: &str) -> Command {
    Command::new(crate::program(name).unwrap_or_else(|| name.into()))
}

fn run(command: &mut Command) -> Result<Output> {
    command
        .output()
        .with_context(|| format!("cannot run {command:?}"))
}
