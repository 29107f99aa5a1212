//! The guests, and where they are built.

use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, ensure};

use crate::once::built_once;

/// What a machine runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Image {
    /// Linux, busybox and the agent, all in memory, with one disk at `/mnt/data`. It boots in 2 to 4 seconds.
    Busybox,
    /// Debian with systemd, whose root is on a disk too. It boots in 7 to 20 seconds.
    Debian,
}

impl Image {
    /// Returns its name, which is also that of its folder in `guests/`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Busybox => "busybox",
            Self::Debian => "debian",
        }
    }

    /// Builds it, unless it was built before. The first caller does, which can take minutes, and the others wait for it.
    ///
    /// # Errors
    ///
    /// When it cannot be built.
    pub fn build(self) -> Result<()> {
        self.folder().map(drop)
    }

    /// The disks, in the order in which the guest numbers them.
    pub(crate) fn disks(self) -> &'static [&'static str] {
        match self {
            Self::Busybox => &["data"],
            Self::Debian => &["root", "data"],
        }
    }

    /// In MiB.
    pub(crate) fn usual_memory(self) -> u32 {
        match self {
            Self::Busybox => 256,
            Self::Debian => 384,
        }
    }

    /// Returns the folder with its kernel and its disks. The first caller builds them, and the others wait.
    pub(crate) fn folder(self) -> Result<PathBuf> {
        let recipe = Path::new(env!("CARGO_MANIFEST_DIR")).join("guests");
        let name = format!("{}-{:016x}", self.name(), self.stamp(&recipe)?);
        built_once(&crate::store().join(name), |folder| {
            let output = Command::new(recipe.join(self.name()).join("build"))
                .arg(folder)
                .output()?;
            let said = String::from_utf8_lossy(&output.stderr);
            ensure!(
                output.status.success(),
                "cannot build the guest {}: {said}",
                self.name()
            );
            Ok(())
        })
    }

    /// Changes with whatever the guest is made of: its recipe, the kernel, and the agent of this host.
    fn stamp(self, recipe: &Path) -> Result<u64> {
        let mut hasher = DefaultHasher::new();
        for file in [
            recipe.join("common.sh"),
            recipe.join("vmlinux"),
            recipe.join("test-shell"),
        ] {
            fs::read(file)?.hash(&mut hasher);
        }
        hash_folder(&recipe.join(self.name()), &mut hasher)?;
        crate::kernels().hash(&mut hasher);
        if let Some(agent) = crate::program("qemu-ga") {
            fs::read(agent)?.hash(&mut hasher);
        }
        Ok(hasher.finish())
    }
}

fn hash_folder(folder: &Path, hasher: &mut DefaultHasher) -> Result<()> {
    let mut paths: Vec<_> = fs::read_dir(folder)?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<_>>()?;
    paths.sort();
    for path in paths {
        path.file_name().hash(hasher);
        if path.is_dir() {
            hash_folder(&path, hasher)?;
        } else {
            fs::read(&path)?.hash(hasher);
        }
    }
    Ok(())
}
