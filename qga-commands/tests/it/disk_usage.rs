//! How full the disks of guests are whose listings are as real ones.

use qga_commands::Guest;
use qga_commands::commands::fs::GuestFilesystemInfo;
use qga_commands::guest::disks::DiskUsage;
use qga_core::Client;
use qga_testserver::{Filesystem, TestAgent};
use serde_json::json;

const GIB: u64 = 1 << 30;

/// One line of a listing: device, place, kind, and in GiB what is used and what there is.
type Line<'a> = (&'a str, &'a str, &'a str, u64, u64);

fn of(lines: &[Line<'_>]) -> Vec<DiskUsage> {
    let listed: Vec<_> = lines.iter().map(line).collect();
    DiskUsage::of(&listed)
}

fn line((name, mountpoint, kind, used, total): &Line<'_>) -> GuestFilesystemInfo {
    serde_json::from_value(json!({
        "name": name, "mountpoint": mountpoint, "type": kind, "disk": [],
        "used-bytes": used * GIB, "total-bytes": total * GIB,
    }))
    .unwrap()
}

/// Device, places, and in GiB what is used and what there is.
fn short(usages: &[DiskUsage]) -> Vec<(&str, String, Option<u64>, Option<u64>)> {
    let in_gib = |bytes: Option<u64>| bytes.map(|bytes| bytes / GIB);
    let short = usages.iter().map(|disk| {
        let (used, total) = (in_gib(disk.used_bytes), in_gib(disk.total_bytes));
        (&*disk.device, disk.mountpoints.join(" "), used, total)
    });
    short.collect()
}

fn one(
    device: &str,
    places: &str,
    used: u64,
    total: u64,
) -> (String, String, Option<u64>, Option<u64>) {
    (device.into(), places.into(), Some(used), Some(total))
}

#[track_caller]
fn check(lines: &[Line<'_>], expected: &[(&str, &str, u64, u64)]) {
    let usages = of(lines);
    let found: Vec<_> = short(&usages)
        .into_iter()
        .map(|(device, places, used, total)| (device.to_owned(), places, used, total))
        .collect();
    let expected: Vec<_> = expected
        .iter()
        .map(|(device, places, used, total)| one(device, places, *used, *total))
        .collect();
    assert_eq!(found, expected);
}

#[test]
fn the_subvolumes_of_a_btrfs_are_one_disk() {
    // As openSUSE is set up.
    let places = [
        "/var",
        "/usr/local",
        "/tmp",
        "/srv",
        "/root",
        "/opt",
        "/home",
        "/boot/grub2/x86_64-efi",
        "/boot/grub2/i386-pc",
        "/.snapshots",
        "/",
    ];
    let mut lines: Vec<Line<'_>> = places.map(|place| ("vda2", place, "btrfs", 12, 40)).into();
    lines.push(("vda1", "/boot/efi", "vfat", 0, 1));
    let places = "/ /.snapshots /boot/grub2/i386-pc /boot/grub2/x86_64-efi /home /opt /root /srv /tmp \
                  /usr/local /var";
    check(
        &lines,
        &[("vda2", places, 12, 40), ("vda1", "/boot/efi", 0, 1)],
    );
}

#[test]
fn bind_mounts_count_once() {
    // PrivateTmp= of the agent's own unit, a chroot, and files that are bound.
    let lines = [
        ("vda2", "/var/tmp", "ext4", 3, 8),
        ("vda2", "/tmp", "ext4", 3, 8),
        ("vda2", "/srv/jail/etc/resolv.conf", "ext4", 3, 8),
        ("vdb", "/srv/jail/mnt", "ext4", 1, 16),
        ("vdb", "/mnt/data", "ext4", 1, 16),
        ("vda2", "/", "ext4", 3, 8),
    ];
    check(
        &lines,
        &[
            ("vda2", "/ /srv/jail/etc/resolv.conf /tmp /var/tmp", 3, 8),
            ("vdb", "/mnt/data /srv/jail/mnt", 1, 16),
        ],
    );
}

#[test]
fn a_directory_with_a_quota_does_not_hide_the_whole() {
    let lines = [
        ("dm-2", "/srv/project", "xfs", 1, 5),
        ("dm-2", "/srv", "xfs", 70, 100),
    ];
    check(&lines, &[("dm-2", "/srv /srv/project", 70, 100)]);
}

#[test]
fn logical_volumes_raids_and_multipath_devices_are_disks_of_their_own() {
    let lines = [
        ("dm-3", "/var/lib/libvirt", "xfs", 400, 1000), // multipath
        ("md0", "/srv", "ext4", 5, 50),
        ("dm-1", "/home", "xfs", 2, 20),
        ("dm-0", "/", "xfs", 4, 10),
        ("nvme0n1p2", "/boot", "ext4", 0, 1),
        ("nbd0", "/mnt/nbd", "ext4", 1, 2),
    ];
    check(
        &lines,
        &[
            ("dm-0", "/", 4, 10),
            ("nvme0n1p2", "/boot", 0, 1),
            ("dm-1", "/home", 2, 20),
            ("nbd0", "/mnt/nbd", 1, 2),
            ("md0", "/srv", 5, 50),
            ("dm-3", "/var/lib/libvirt", 400, 1000),
        ],
    );
}

#[test]
fn what_is_no_disk_is_left_out() {
    let lines = [
        ("loop0", "/snap/core22/1380", "squashfs", 1, 1),
        ("loop12", "/snap/lxd/28373", "squashfs", 1, 1),
        ("loop3", "/mnt/image", "ext4", 1, 8),
        ("loop4p1", "/mnt/part", "vfat", 0, 1),
        ("zram1", "/var/log", "ext4", 0, 1),
        ("ram0", "/mnt/ram", "ext2", 0, 1),
        ("sr0", "/media/cdrom", "iso9660", 1, 1),
        ("sr1", "/media/dvd", "udf", 4, 4),
        ("fd0", "/media/floppy", "vfat", 0, 1),
        ("vdc", "/media/image", "iso9660", 1, 1),
        ("vda3", "/rom", "squashfs", 1, 1),
        ("vda", "/", "ext4", 3, 8),
    ];
    check(&lines, &[("vda", "/", 3, 8)]);
}

#[test]
fn what_other_agents_list_too_is_left_out() {
    let kinds = [
        "tmpfs",
        "devtmpfs",
        "overlay",
        "nfs4",
        "cifs",
        "9p",
        "virtiofs",
        "fuse.sshfs",
        "autofs",
        "nullfs",
    ];
    let mut lines: Vec<Line<'_>> = kinds.map(|kind| (kind, "/x", kind, 1, 2)).into();
    lines.push(("/dev/sda1", "/", "fuseblk", 3, 8)); // NTFS in Linux
    check(&lines, &[("sda1", "/", 3, 8)]);
}

#[test]
fn names_that_only_begin_like_those_are_disks() {
    let names = [
        "loopback",
        "srv",
        "fdisk",
        "sram",
        "mapper/ram0",
        "rbd0",
        "sda1",
    ];
    let lines = names.map(|name| (name, name, "ext4", 1, 2));
    assert_eq!(of(&lines).len(), names.len());
}

#[test]
fn the_volumes_of_windows_are_disks_and_its_cd_roms_are_not() {
    let system = r"\\?\Volume{11111111-0000-0000-0000-100000000000}\";
    let data = r"\\?\Volume{22222222-0000-0000-0000-100000000000}\";
    let reserved = r"\\?\Volume{33333333-0000-0000-0000-100000000000}\";
    let another = r"\\?\Volume{44444444-0000-0000-0000-100000000000}\";
    let drivers = r"\\?\Volume{55555555-0000-0000-0000-100000000000}\";
    let without_sizes = |name| {
        let listed =
            json!({"name": name, "mountpoint": "System Reserved", "type": "NTFS", "disk": []});
        serde_json::from_value(listed).unwrap()
    };
    let listed = [
        line(&(system, r"C:\", "NTFS", 30, 60)),
        without_sizes(reserved),
        line(&(data, r"D:\", "ReFS", 5, 500)),
        line(&(drivers, r"E:\", "CDFS", 1, 1)),
        line(&(drivers, r"F:\", "UDF", 1, 1)),
        without_sizes(another),
    ];
    let usages = DiskUsage::of(&listed);
    let found = short(&usages);
    let reserved_is = |name| (name, "System Reserved".to_owned(), None, None);
    assert_eq!(
        found,
        [
            (system, r"C:\".to_owned(), Some(30), Some(60)),
            (data, r"D:\".to_owned(), Some(5), Some(500)),
            reserved_is(reserved),
            reserved_is(another),
        ]
    );
    assert_eq!((usages[2].usage(), usages[2].free_bytes()), (None, None));
}

#[test]
fn what_is_not_known_of_one_is_not_known_of_the_sum() {
    let mut listed = [
        line(&("vda", "/", "ext4", 3, 8)),
        line(&("vdb", "/srv", "ext4", 1, 2)),
    ];
    let sum = |listed: &[_]| -> Option<u64> {
        let usages = DiskUsage::of(listed);
        usages.iter().map(|disk| disk.total_bytes).sum()
    };
    assert_eq!(sum(&listed), Some(10 * GIB));
    listed[1].total_bytes = None;
    assert_eq!(sum(&listed), None);
}

#[test]
fn a_place_that_does_not_tell_leaves_the_word_to_another() {
    let mut listed = [
        line(&("vda", "/srv", "ext4", 3, 8)),
        line(&("vda", "/", "ext4", 3, 8)),
    ];
    listed[0].used_bytes = None;
    assert_eq!(DiskUsage::of(&listed)[0].usage(), Some(3.0 / 8.0));
}

#[test]
fn what_is_mounted_over_another_does_not_lend_it_its_sizes() {
    // The last mount comes first, and both tell what the upper one has.
    let lines = [
        ("vdb", "/mnt", "ext4", 1, 16),
        ("vda1", "/mnt", "ext4", 1, 16),
        ("vda2", "/", "ext4", 3, 8),
    ];
    let found = of(&lines);
    let below = found.iter().find(|disk| disk.device == "vda1").unwrap();
    assert_eq!((below.total_bytes, below.used_bytes), (None, None));
    let above = found.iter().find(|disk| disk.device == "vdb").unwrap();
    assert_eq!(above.total_bytes, Some(16 * GIB));
}

#[test]
fn volumes_and_datasets_that_share_what_is_free_count_it_once() {
    let lines = [
        ("/dev/disk3s1s1", "/", "apfs", 300, 500),
        ("/dev/disk3s5", "/System/Volumes/Data", "apfs", 300, 500),
        ("/dev/disk3s6", "/System/Volumes/VM", "apfs", 300, 500),
        ("/dev/disk1s2", "/System/Volumes/xarts", "apfs", 0, 1),
    ];
    let places = "/ /System/Volumes/Data /System/Volumes/VM";
    check(
        &lines,
        &[
            ("disk3", places, 300, 500),
            ("disk1", "/System/Volumes/xarts", 0, 1),
        ],
    );
    let lines = [
        ("zroot/ROOT/default", "/", "zfs", 10, 60),
        ("zroot/usr/home", "/usr/home", "zfs", 40, 90),
        ("zroot", "/zroot", "zfs", 0, 50),
        ("tank", "/tank", "zfs", 1, 2),
    ];
    check(
        &lines,
        &[
            ("zroot", "/ /usr/home /zroot", 50, 100),
            ("tank", "/tank", 1, 2),
        ],
    );
}

#[test]
fn sizes_of_a_hostile_guest_do_not_overflow() {
    let listed = ["a/x", "a/y"].map(|name| {
        let mut listed = line(&(name, name, "zfs", 0, 0));
        (listed.used_bytes, listed.total_bytes) = (Some(u64::MAX), Some(u64::MAX));
        listed
    });
    let usages = DiskUsage::of(&listed);
    assert_eq!(
        (usages[0].usage(), usages[0].free_bytes()),
        (Some(1.0), Some(0))
    );
}

#[tokio::test(start_paused = true)]
async fn a_guest_tells_how_full_its_disks_are() {
    let (agent, stream) = TestAgent::in_memory();
    agent.edit_guest(|guest| {
        guest
            .filesystems
            .push(Filesystem::new("vda1", "/tmp", "ext4", 2));
        guest
            .filesystems
            .push(Filesystem::new("loop0", "/snap/core22", "squashfs", 2));
    });
    let guest = Guest::new(Client::new(stream));
    let usages = guest.disk_usage().await.unwrap();
    let found = short(&usages);
    assert_eq!(
        found,
        [
            ("vda1", "/ /tmp".to_owned(), Some(2), Some(10)),
            ("vdb", "/srv".to_owned(), Some(2), Some(10)),
        ]
    );
    assert_eq!(usages[0].usage(), Some(0.2));
    assert_eq!(usages[0].free_bytes(), Some(8 * GIB));
}
