//! What this host and the environment say of daemons.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::Instance;

/// What the sockets of daemons are called: of a daemon for QEMU alone, and of one for everything.
const SOCKETS: [&str; 2] = ["virtqemud-sock", "libvirt-sock"];

/// Where this user's daemons are, and which one is meant where nothing else is said.
#[derive(Clone, Debug, Default)]
pub(crate) struct Host {
    default_uri: Option<String>,
    /// The folders of sockets.
    system: PathBuf,
    session: PathBuf,
    user: u32,
    groups: Vec<u32>,
}

impl Host {
    /// This host, as this process sees it now.
    pub(crate) fn this() -> Self {
        let text = |name| std::env::var(name).ok().filter(|text| !text.is_empty());
        let user = rustix::process::geteuid().as_raw();
        let runtime = text("XDG_RUNTIME_DIR").map_or_else(
            || Path::new("/run/user").join(user.to_string()),
            PathBuf::from,
        );
        let groups = rustix::process::getgroups().unwrap_or_default();
        let own = rustix::process::getegid();
        Self {
            default_uri: text("LIBVIRT_DEFAULT_URI"),
            system: "/run/libvirt".into(),
            session: runtime.join("libvirt"),
            user,
            groups: groups
                .into_iter()
                .chain([own])
                .map(rustix::process::Gid::as_raw)
                .collect(),
        }
    }

    #[cfg(test)]
    pub(super) fn of_test(user: u32, groups: &[u32], system: &Path, uri: Option<&str>) -> Self {
        Self {
            default_uri: uri.map(str::to_owned),
            system: system.to_owned(),
            session: "/run/user/7/libvirt".into(),
            user,
            groups: groups.to_owned(),
        }
    }

    pub(super) fn default_uri(&self) -> Option<&str> {
        self.default_uri.as_deref()
    }

    /// Whether this user is root, or in the group that may use the system's daemon.
    pub(super) fn may_use_system(&self) -> bool {
        const GROUP_WRITES: u32 = 0o020;
        let found = std::fs::metadata(self.socket(Instance::System));
        let is_of_group = found.is_ok_and(|found| {
            found.permissions().mode() & GROUP_WRITES != 0 && self.groups.contains(&found.gid())
        });
        self.user == 0 || is_of_group
    }

    /// The daemon's socket; the last of the possible ones if there is none.
    pub(super) fn socket(&self, instance: Instance) -> PathBuf {
        let folder = match instance {
            Instance::System => &self.system,
            Instance::Session => &self.session,
        };
        let [first, last] = SOCKETS.map(|name| folder.join(name));
        if first.exists() { first } else { last }
    }
}
