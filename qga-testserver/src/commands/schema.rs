//! The commands of QEMU's schema: their order, the version that introduced them, and the platforms they run on.

use crate::Profile;
use crate::profile::Platform;

/// A command of QEMU's schema.
struct Entry {
    name: &'static str,
    /// The major and minor number of the version that introduced it.
    since: (u32, u32),
    freebsd: bool,
    windows: bool,
    linux: bool,
}

const fn everywhere(name: &'static str, major: u32, minor: u32) -> Entry {
    Entry {
        name,
        since: (major, minor),
        linux: true,
        freebsd: true,
        windows: true,
    }
}

const fn not_freebsd(name: &'static str, major: u32, minor: u32) -> Entry {
    Entry {
        freebsd: false,
        ..everywhere(name, major, minor)
    }
}

const fn linux(name: &'static str, major: u32, minor: u32) -> Entry {
    Entry {
        windows: false,
        ..not_freebsd(name, major, minor)
    }
}

const fn windows(name: &'static str, major: u32, minor: u32) -> Entry {
    Entry {
        linux: false,
        ..not_freebsd(name, major, minor)
    }
}

/// The commands of QEMU's schema in its order.
const SCHEMA: [Entry; 44] = [
    everywhere("guest-sync-delimited", 1, 1),
    everywhere("guest-sync", 0, 15),
    everywhere("guest-ping", 0, 15),
    everywhere("guest-get-time", 1, 5),
    everywhere("guest-set-time", 1, 5),
    everywhere("guest-info", 0, 15),
    everywhere("guest-shutdown", 0, 15),
    everywhere("guest-file-open", 0, 15),
    everywhere("guest-file-close", 0, 15),
    everywhere("guest-file-read", 0, 15),
    everywhere("guest-file-write", 0, 15),
    everywhere("guest-file-seek", 0, 15),
    everywhere("guest-file-flush", 0, 15),
    everywhere("guest-fsfreeze-status", 0, 15),
    everywhere("guest-fsfreeze-freeze", 0, 15),
    everywhere("guest-fsfreeze-freeze-list", 2, 2),
    everywhere("guest-fsfreeze-thaw", 0, 15),
    not_freebsd("guest-fstrim", 1, 2),
    not_freebsd("guest-suspend-disk", 1, 1),
    not_freebsd("guest-suspend-ram", 1, 1),
    linux("guest-suspend-hybrid", 1, 1),
    everywhere("guest-network-get-interfaces", 1, 1),
    not_freebsd("guest-get-vcpus", 1, 5),
    linux("guest-set-vcpus", 1, 5),
    not_freebsd("guest-get-disks", 5, 2),
    not_freebsd("guest-get-fsinfo", 2, 2),
    not_freebsd("guest-set-user-password", 2, 3),
    linux("guest-get-memory-blocks", 2, 3),
    linux("guest-set-memory-blocks", 2, 3),
    linux("guest-get-memory-block-info", 2, 3),
    everywhere("guest-exec-status", 2, 5),
    everywhere("guest-exec", 2, 5),
    everywhere("guest-get-host-name", 2, 10),
    everywhere("guest-get-users", 2, 10),
    everywhere("guest-get-timezone", 2, 10),
    everywhere("guest-get-osinfo", 2, 10),
    windows("guest-get-devices", 5, 2),
    everywhere("guest-ssh-get-authorized-keys", 5, 2),
    everywhere("guest-ssh-add-authorized-keys", 5, 2),
    everywhere("guest-ssh-remove-authorized-keys", 5, 2),
    linux("guest-get-diskstats", 7, 1),
    linux("guest-get-cpustats", 7, 1),
    everywhere("guest-get-load", 10, 0),
    not_freebsd("guest-network-get-route", 9, 1),
];

/// Whether an agent has a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Presence {
    Unknown,
    /// It is listed and cannot be used, as in agents before 9.1 on a platform that lacks it.
    Unsupported,
    There,
}

/// The position of a command in the schema. A command that is not in it comes last.
pub(super) fn place(name: &str) -> usize {
    SCHEMA
        .iter()
        .position(|entry| entry.name == name)
        .unwrap_or(SCHEMA.len())
}

/// Whether an agent of this profile has a command.
pub(super) fn presence(name: &str, profile: Profile) -> Presence {
    let entry = SCHEMA.iter().find(|entry| entry.name == name);
    let Some(entry) = entry.filter(|entry| profile.since(entry.since.0, entry.since.1)) else {
        return Presence::Unknown;
    };
    let supported = match profile.platform() {
        Platform::Linux => entry.linux,
        Platform::FreeBsd => entry.freebsd,
        Platform::Windows => entry.windows,
    };
    match supported {
        true => Presence::There,
        false if profile.since(9, 1) => Presence::Unknown,
        false => Presence::Unsupported,
    }
}

/// The names of all commands that agents of this profile list.
pub(super) fn listed(profile: Profile) -> impl Iterator<Item = &'static str> {
    let names = SCHEMA.iter().map(|entry| entry.name);
    names.filter(move |name| presence(name, profile) != Presence::Unknown)
}
