/// A snapshot that a [`TestMachine`](crate::TestMachine) was asked for and has taken.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DiskSnapshot {
    /// The device, or the node if the disk has no device's name.
    pub disk: String,
    /// The file that was made, or the tag of an internal snapshot.
    pub file: String,
    /// How it was taken.
    pub kind: SnapshotKind,
    /// Whether the guest's filesystems were frozen at that moment.
    pub is_frozen: bool,
}

/// How a snapshot was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SnapshotKind {
    /// The disk is written to a new file from then on (`blockdev-snapshot-sync`, `blockdev-snapshot`).
    Overlay,
    /// The disk is copied as it was then (`blockdev-backup`).
    Backup,
    /// The machine is saved into its own disks (`snapshot-save`).
    Internal,
}
