//! What a guest's shell does, by the fake that does it by itself, by shells of this host, and by a real agent.

#![cfg(unix)]

pub(crate) mod copy;
mod copy_bundles;
mod fs;
mod programs;

use std::any::Any;
use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use qga_commands::Guest;
use qga_testserver::TestAgent;
use tempfile::TempDir;

use crate::real;

/// Writes a file.
pub(crate) type Put = Arc<dyn Fn(&str, &[u8]) + Send + Sync>;

/// A guest, and a folder in it for a test.
pub(crate) struct Place {
    pub(crate) name: &'static str,
    pub(crate) guest: Guest,
    /// The folder's path in the guest.
    pub(crate) base: String,
    /// Where the guest's root lies on this host, if it does.
    pub(crate) root: Option<PathBuf>,
    /// Puts a file into the guest behind everybody's back.
    pub(crate) put: Put,
    /// What has to live as long.
    _kept: Box<dyn Any>,
}

impl Place {
    pub(crate) fn path(&self, name: &str) -> String {
        format!("{}/{name}", self.base)
    }

    /// Where a path of the guest lies on this host.
    pub(crate) fn here(&self, path: &str) -> Option<PathBuf> {
        let root = self.root.as_ref()?;
        Some(root.join(path.trim_start_matches('/')))
    }

    /// What lies in the folder.
    pub(crate) async fn names(&self) -> Vec<String> {
        let entries = self.guest.read_dir(&self.base).await.unwrap();
        let names = entries.iter().map(|entry| entry.file_name().into_owned());
        names.collect()
    }
}

/// One of each kind of guest there is here.
pub(crate) async fn places(test: &str) -> Vec<Place> {
    let mut places = Vec::new();
    for (name, path) in [
        ("fake", None),
        ("shell of this host", Some(None)),
        ("busybox", Some(busybox(test))),
    ] {
        let (agent, stream) = TestAgent::in_memory();
        let mut links: Option<TempDir> = None;
        let root = match path {
            None => None,
            Some(None) if name == "busybox" => continue,
            Some(None) => Some(agent.host_shell()),
            Some(Some(busybox)) => {
                let folder = links_to(&busybox);
                let root = agent.host_shell_with_path(OsString::from(folder.path()));
                links = Some(folder);
                Some(root)
            }
        };
        agent.folder("/srv");
        let agent = Arc::new(agent);
        places.push(Place {
            name,
            guest: Guest::new(qga_core::Client::new(stream)),
            base: "/srv".into(),
            root,
            put: {
                let agent = Arc::clone(&agent);
                Arc::new(move |path, content| agent.file(path, content))
            },
            _kept: Box::new((agent, links)),
        });
    }
    if let Some((agent, guest)) = real::guest().await {
        let folder = tempfile::tempdir().unwrap();
        places.push(Place {
            name: "real agent",
            guest,
            base: folder.path().to_str().unwrap().to_owned(),
            root: Some("/".into()),
            put: Arc::new(overwrite),
            _kept: Box::new((agent, folder)),
        });
    }
    places
}

/// Never shorter meanwhile than before and afterwards, since the agent may be reading it.
fn overwrite(path: &str, content: &[u8]) {
    let mut file = OpenOptions::new();
    let file = file.write(true).create(true).truncate(false).open(path);
    let mut file = file.unwrap();
    file.write_all(content).unwrap();
    file.set_len(content.len().try_into().unwrap()).unwrap();
}

/// The program that is a whole userland, where it is installed; CI must have it.
fn busybox(test: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path)
        .map(|folder| folder.join("busybox"))
        .find(|program| program.is_file());
    if found.is_none() {
        let ci = std::env::var_os("CI").is_some_and(|ci| !ci.is_empty());
        assert!(!ci, "CI needs busybox");
        // Not `eprintln!`, which the harness keeps to itself while a test passes.
        let _ = writeln!(
            std::io::stderr(),
            "{test} is left out for busybox: it is not there"
        );
    }
    found
}

/// What scripts use.
pub(crate) const PROGRAMS: [&str; 23] = [
    "cat",
    "chmod",
    "chown",
    "cp",
    "env",
    "find",
    "head",
    "ln",
    "mkdir",
    "mv",
    "pwd",
    "readlink",
    "rm",
    "rmdir",
    "sh",
    "sha256sum",
    "sleep",
    "stat",
    "sync",
    "tar",
    "touch",
    "uname",
    "wc",
];

/// A folder in which each program that scripts use is busybox, and which has no others.
fn links_to(busybox: &Path) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in PROGRAMS {
        std::os::unix::fs::symlink(busybox, folder.path().join(name)).unwrap();
    }
    folder
}
