use serde::{Deserialize, Serialize};

/// A disk or a partition.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct Disk {
    /// The path of the device.
    pub name: String,
    /// Whether this is a partition of another disk.
    pub partition: bool,
    /// The devices that this one is made of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dependencies: Option<Vec<String>>,
    /// Where the disk is attached.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<DiskAddress>,
    /// A name that is easier to read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alias: Option<String>,
    /// What the disk says about its own health.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub smart: Option<serde_json::Value>,
}

impl Disk {
    /// Makes a whole disk of this name at this slot of the PCI bus.
    #[must_use]
    pub fn new(name: &str, slot: i64) -> Self {
        Self {
            name: name.into(),
            dependencies: Some(Vec::new()),
            address: Some(DiskAddress::virtio(name, slot)),
            ..Self::default()
        }
    }

    /// Makes a partition of a disk.
    #[must_use]
    pub fn partition(name: &str, disk: &str) -> Self {
        Self {
            name: name.into(),
            partition: true,
            dependencies: Some(vec![disk.into()]),
            ..Self::default()
        }
    }
}

/// Where a disk is attached.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct DiskAddress {
    /// The address of the controller.
    pub pci_controller: PciAddress,
    /// The kind of bus, such as `virtio`.
    pub bus_type: String,
    /// The number of the bus.
    pub bus: i64,
    /// The target on the bus.
    pub target: i64,
    /// The unit of the target.
    pub unit: i64,
    /// The disk's serial number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serial: Option<String>,
    /// The path of the device in the guest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dev: Option<String>,
}

impl DiskAddress {
    /// Makes the address of a virtio disk at this slot of the PCI bus.
    #[must_use]
    pub fn virtio(device: &str, slot: i64) -> Self {
        Self {
            pci_controller: PciAddress {
                slot,
                ..PciAddress::default()
            },
            bus_type: "virtio".into(),
            dev: Some(device.into()),
            ..Self::default()
        }
    }
}

/// A PCI address.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct PciAddress {
    /// The domain.
    pub domain: i64,
    /// The bus.
    pub bus: i64,
    /// The slot.
    pub slot: i64,
    /// The function.
    pub function: i64,
}

/// A mounted filesystem.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct Filesystem {
    /// The name of the device, without its folder.
    pub name: String,
    /// The path where the filesystem is mounted.
    pub mountpoint: String,
    /// The type of the filesystem, such as `ext4`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The number of bytes in use.
    pub used_bytes: Option<u64>,
    /// The number of bytes that ordinary users can use in all.
    pub total_bytes: Option<u64>,
    /// The number of bytes in all. Agents before 9.1 do not tell it.
    pub total_bytes_privileged: Option<u64>,
    /// The disks that the filesystem is on.
    pub disk: Vec<DiskAddress>,
    /// Whether the filesystem is frozen, by the agent or by somebody else.
    pub frozen: bool,
    /// The error with which freezing fails, in the kernel's words, such as `Input/output error`.
    pub freeze_error: Option<String>,
    /// How many bytes a trim gives back.
    pub trimmable_bytes: i64,
    /// The error with which a trim fails, in the agent's words, such as `trim not supported`.
    pub trim_error: Option<String>,
}

impl Filesystem {
    /// Makes a filesystem on a disk at this slot of the PCI bus.
    #[must_use]
    pub fn new(name: &str, mountpoint: &str, kind: &str, slot: i64) -> Self {
        Self {
            name: name.into(),
            mountpoint: mountpoint.into(),
            kind: kind.into(),
            used_bytes: Some(2 << 30),
            total_bytes: Some(10 << 30),
            total_bytes_privileged: Some(11 << 30),
            disk: vec![DiskAddress::virtio(&format!("/dev/{name}"), slot)],
            trimmable_bytes: 1 << 20,
            ..Self::default()
        }
    }

    /// Whether Linux can freeze a filesystem of this type.
    pub(crate) fn can_be_frozen(&self) -> bool {
        const CANNOT: [&str; 6] = ["exfat", "iso9660", "msdos", "squashfs", "udf", "vfat"];
        !CANNOT.contains(&self.kind.as_str())
    }

    /// Whether so many bytes in a row may be free, as Linux sees it: an ext4 is divided into groups of 128 MiB.
    pub(crate) fn has_stretches_of(&self, bytes: i64) -> bool {
        let most = match (self.kind.as_str(), self.total_bytes) {
            ("ext2" | "ext3" | "ext4", _) => 128 << 20,
            (_, total) => total.unwrap_or(u64::MAX),
        };
        u64::try_from(bytes).is_ok_and(|bytes| bytes <= most)
    }

    /// Freezes or thaws the filesystem of this index at all places where it is mounted. Whether that changes anything.
    pub(crate) fn set_frozen(all: &mut [Self], index: usize, frozen: bool) -> bool {
        let Some(device) = all.get(index).map(|one| one.name.clone()) else {
            return false;
        };
        let mut was_frozen = false;
        for (place, filesystem) in all.iter_mut().enumerate() {
            if place == index || (filesystem.name == device && !device.is_empty()) {
                was_frozen |= filesystem.frozen;
                filesystem.frozen = frozen;
            }
        }
        was_frozen != frozen
    }
}
