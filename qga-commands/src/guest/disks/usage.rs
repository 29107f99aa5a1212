//! How full each device is, counted once.

use std::collections::{BTreeMap, BTreeSet};

use super::usage;
use crate::commands::fs::GuestFilesystemInfo;

/// Devices that are no disks, by how their names begin; a number follows.
const NO_DISKS: [&str; 5] = ["loop", "zram", "ram", "sr", "fd"];

/// Filesystems that are not on a disk that could fill up: images that can only be read, memory, other
/// filesystems, other machines.
const NOT_ON_DISKS: [&str; 29] = [
    "squashfs",
    "erofs",
    "cramfs",
    "romfs",
    "iso9660",
    "udf",
    "cdfs",
    "cd9660",
    "tmpfs",
    "ramfs",
    "devtmpfs",
    "devfs",
    "overlay",
    "overlayfs",
    "aufs",
    "unionfs",
    "nullfs",
    "autofs",
    "fuse",
    "nfs",
    "nfs4",
    "cifs",
    "smb3",
    "smbfs",
    "9p",
    "virtiofs",
    "ceph",
    "glusterfs",
    "afs",
];

/// How full a device of the guest is, wherever and however often it is mounted; from
/// [`Guest::disk_usage`](crate::Guest::disk_usage).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DiskUsage {
    /// The device or volume that has the filesystem: `vda1`, `dm-0` for a logical volume or a path over several
    /// disks, `md0` for a RAID, the pool of a ZFS, the container of an APFS, a volume's name in Windows.
    pub device: String,
    /// What kind of filesystem it is, such as `ext4` or `NTFS`.
    pub fs_type: String,
    /// Where it is mounted, by name. Windows says `System Reserved` of a volume that is mounted nowhere.
    pub mountpoints: Vec<String>,
    /// How much is in use, in bytes; `None` if the guest does not tell.
    pub used_bytes: Option<u64>,
    /// How much there is for ordinary users, in bytes; `None` if the guest does not tell.
    pub total_bytes: Option<u64>,
}

impl DiskUsage {
    /// Counts each device once in what a guest has [listed](crate::commands::fs::GetFsInfo), in the order in which it was
    /// listed; see [`Guest::disk_usage`](crate::Guest::disk_usage) for what is left out. They come by where they
    /// are mounted.
    #[must_use]
    pub fn of(listed: &[GuestFilesystemInfo]) -> Vec<Self> {
        let mut devices: BTreeMap<String, Counted> = BTreeMap::new();
        let mut tops: BTreeMap<&str, &str> = BTreeMap::new();
        for mounted in listed.iter().filter(|mounted| is_on_disk(mounted)) {
            let top = *tops.entry(&mounted.mountpoint).or_insert(&mounted.name);
            let counted = devices.entry(device(mounted)).or_default();
            // What is mounted last is listed first. What lies below it has its sizes, not its own.
            counted.add(mounted, top == mounted.name);
        }
        let mut all: Vec<_> = devices
            .into_iter()
            .map(|(device, counted)| counted.into_usage(device))
            .collect();
        all.sort_by(|a, b| a.mountpoints.cmp(&b.mountpoints));
        all
    }

    /// How much of it is in use, from 0 for nothing to 1 for full; see
    /// [`GuestFilesystemInfo::usage`]. `None` if the guest does not tell.
    #[must_use]
    pub fn usage(&self) -> Option<f64> {
        usage(self.used_bytes?, self.total_bytes?)
    }

    /// Bytes that ordinary users may still fill. `None` if the guest does not tell.
    #[must_use]
    pub fn free_bytes(&self) -> Option<u64> {
        Some(self.total_bytes?.saturating_sub(self.used_bytes?))
    }
}

/// What is known of a device so far.
#[derive(Default)]
struct Counted {
    fs_type: String,
    mountpoints: BTreeSet<String>,
    /// By the name of what is listed: one for a device, one for each dataset of a ZFS.
    sizes: BTreeMap<String, Sizes>,
}

/// The total comes first, so that the larger one is the whole where a quota holds for a part.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Sizes {
    total: u64,
    used: u64,
}

impl Counted {
    fn add(&mut self, mounted: &GuestFilesystemInfo, is_top: bool) {
        self.fs_type.clone_from(&mounted.fs_type);
        self.mountpoints.insert(mounted.mountpoint.clone());
        if let (true, Some(total), Some(used)) = (is_top, mounted.total_bytes, mounted.used_bytes) {
            let found = Sizes { total, used };
            let known = self.sizes.entry(part(mounted)).or_insert(found);
            *known = found.max(*known);
        }
    }

    /// Parts of one device share what is free.
    fn into_usage(self, device: String) -> DiskUsage {
        let sizes = self.sizes.into_values().reduce(|a, b| {
            let free = a.free().max(b.free());
            let used = a.used.saturating_add(b.used);
            let total = used.saturating_add(free);
            Sizes { total, used }
        });
        DiskUsage {
            device,
            fs_type: self.fs_type,
            mountpoints: self.mountpoints.into_iter().collect(),
            used_bytes: sizes.map(|sizes| sizes.used),
            total_bytes: sizes.map(|sizes| sizes.total),
        }
    }
}

impl Sizes {
    fn free(self) -> u64 {
        self.total.saturating_sub(self.used)
    }
}

fn is_on_disk(mounted: &GuestFilesystemInfo) -> bool {
    let name = base_name(mounted);
    let is_disk = !NO_DISKS.iter().any(|prefix| {
        let number = name.strip_prefix(prefix);
        number.is_some_and(|number| number.starts_with(|first: char| first.is_ascii_digit()))
    });
    let kind = mounted.fs_type.to_ascii_lowercase();
    is_disk && !NOT_ON_DISKS.contains(&&*kind) && !kind.starts_with("fuse.")
}

/// What is counted once.
fn device(mounted: &GuestFilesystemInfo) -> String {
    let name = base_name(mounted);
    match &*mounted.fs_type {
        "zfs" => name.split('/').next().unwrap_or(name).to_owned(),
        "apfs" => container(name).unwrap_or(name).to_owned(),
        _ => name.to_owned(),
    }
}

/// What of a device has sizes of its own: datasets of a pool do, the volumes of a container all tell the same.
fn part(mounted: &GuestFilesystemInfo) -> String {
    match &*mounted.fs_type {
        "zfs" => base_name(mounted).to_owned(),
        _ => String::new(),
    }
}

/// `disk3` of `disk3s1` and of `disk3s1s1`.
fn container(volume: &str) -> Option<&str> {
    let number = volume.strip_prefix("disk")?;
    let digits = number.find(|other: char| !other.is_ascii_digit())?;
    volume.get(.."disk".len() + digits)
}

fn base_name(mounted: &GuestFilesystemInfo) -> &str {
    let name = &*mounted.name;
    name.strip_prefix("/dev/").unwrap_or(name)
}
