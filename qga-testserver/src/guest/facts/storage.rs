use serde::{Deserialize, Serialize};

/// A disk or a partition.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct Disk {
    /// Its device.
    pub name: String,
    /// Whether it is a part of another disk.
    pub partition: bool,
    /// The devices that it is on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dependencies: Option<Vec<String>>,
    /// Where it is attached.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<DiskAddress>,
    /// A friendlier name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alias: Option<String>,
    /// What it says of its own health.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub smart: Option<serde_json::Value>,
}

impl Disk {
    /// A whole disk of this name at this slot of the PCI bus.
    #[must_use]
    pub fn new(name: &str, slot: i64) -> Self {
        Self {
            name: name.into(),
            dependencies: Some(Vec::new()),
            address: Some(DiskAddress::virtio(name, slot)),
            ..Self::default()
        }
    }

    /// A partition of a disk.
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
    /// The controller.
    pub pci_controller: PciAddress,
    /// The kind of bus, such as `virtio`.
    pub bus_type: String,
    /// The bus.
    pub bus: i64,
    /// The target on the bus.
    pub target: i64,
    /// The unit of the target.
    pub unit: i64,
    /// The disk's serial number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serial: Option<String>,
    /// The device in the guest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dev: Option<String>,
}

impl DiskAddress {
    /// A virtio disk at this slot of the PCI bus.
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
    /// Its device, without the folder.
    pub name: String,
    /// Where it is mounted.
    pub mountpoint: String,
    /// Its type, such as `ext4`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Bytes in use.
    pub used_bytes: Option<u64>,
    /// Bytes in all that users may use.
    pub total_bytes: Option<u64>,
    /// Bytes in all; agents before 9.1 do not tell.
    pub total_bytes_privileged: Option<u64>,
    /// The disks that it is on.
    pub disk: Vec<DiskAddress>,
    /// Whether it is frozen.
    pub frozen: bool,
    /// Why it cannot be frozen, as the kernel says it: `Input/output error`, say.
    pub freeze_error: Option<String>,
    /// Bytes that a trim finds to give back.
    pub trimmable_bytes: i64,
    /// Why it cannot be trimmed, as the agent says it: `trim not supported`, say.
    pub trim_error: Option<String>,
}

impl Filesystem {
    /// A filesystem on a disk at this slot of the PCI bus.
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
}
