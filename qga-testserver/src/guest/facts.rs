//! What the agent's commands tell of the guest: its name, clock, users, disks, networks and so on.

use serde::Deserialize;

mod accounts;
mod hardware;
mod network;
mod storage;
mod system;

pub use accounts::{Account, Login, Password};
pub use hardware::{MemoryBlock, Vcpu};
pub use network::{Interface, InterfaceStatistics, IpAddress, Route};
pub use storage::{Disk, DiskAddress, Filesystem, PciAddress};
pub use system::{LoadAverage, OsInfo, Timezone};

use crate::profile::Platform;

/// The facts of the machine behind the agent, which the agent's commands tell and change.
///
/// Unless the test changes it, the guest is a small Debian.
/// [`TestAgent::edit_guest`](crate::TestAgent::edit_guest) changes the facts, and
/// [`TestAgent::guest`](crate::TestAgent::guest) returns them. To add an element to a list, make one
/// with its `new`, or take its `default()` and set the fields. The agent returns a list as it is, also
/// if it is empty.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct Guest {
    /// The answer of `guest-get-host-name`.
    pub host_name: String,
    /// The guest's clock, in nanoseconds since 1970. It stands still, so that tests can compare times.
    pub time: i64,
    /// The answer of `guest-get-timezone`.
    pub timezone: Timezone,
    /// The answer of `guest-get-osinfo`.
    pub os: OsInfo,
    /// The answer of `guest-get-load`.
    pub load: LoadAverage,
    /// The users who are logged in: the answer of `guest-get-users`.
    pub logins: Vec<Login>,
    /// The users who can log in, to whom passwords and SSH keys belong.
    pub accounts: Vec<Account>,
    /// The answer of `guest-network-get-interfaces`.
    pub interfaces: Vec<Interface>,
    /// The answer of `guest-network-get-route`.
    pub routes: Vec<Route>,
    /// The answer of `guest-get-disks`, and the names in `guest-get-diskstats`.
    pub disks: Vec<Disk>,
    /// The answer of `guest-get-fsinfo`, and the filesystems that can be frozen and trimmed.
    pub filesystems: Vec<Filesystem>,
    /// Whether the filesystems are frozen: the answer of `guest-fsfreeze-status`. While they are, the
    /// agent allows only a few commands.
    pub frozen: bool,
    /// The answer of `guest-get-vcpus`, and the numbers in `guest-get-cpustats`.
    pub vcpus: Vec<Vcpu>,
    /// The answer of `guest-get-memory-blocks`.
    pub memory_blocks: Vec<MemoryBlock>,
    /// The size of a memory block in bytes.
    pub memory_block_size: u64,
    /// The answer of `guest-get-devices`, a command that only agents in Windows have.
    pub devices: Vec<serde_json::Value>,
    /// How long the agent goes on answering after a power command, in milliseconds of tokio's time. A
    /// real one does so while services stop.
    pub stop_milliseconds: u64,
    /// How long a reboot takes after that, in milliseconds of tokio's time. The agent is silent while it
    /// lasts.
    pub reboot_milliseconds: u64,
}

impl Default for Guest {
    fn default() -> Self {
        Self {
            host_name: "test-guest".into(),
            time: 1_700_000_000_000_000_000,
            timezone: Timezone::default(),
            os: OsInfo::default(),
            load: LoadAverage::default(),
            logins: vec![Login::new("test", 1_699_999_000.5)],
            accounts: vec![
                Account::new("root", "/root"),
                Account::new("test", "/home/test"),
            ],
            interfaces: Interface::usual(),
            routes: Route::usual(),
            disks: vec![
                Disk::new("/dev/vda", 2),
                Disk::partition("/dev/vda1", "/dev/vda"),
                Disk::new("/dev/vdb", 3),
            ],
            filesystems: vec![
                Filesystem::new("vda1", "/", "ext4", 2),
                Filesystem::new("vdb", "/srv", "xfs", 3),
            ],
            frozen: false,
            vcpus: vec![Vcpu::new(0, false), Vcpu::new(1, true)],
            memory_blocks: (0..4).map(MemoryBlock::new).collect(),
            memory_block_size: 128 << 20,
            devices: Vec::new(),
            stop_milliseconds: 0,
            reboot_milliseconds: 3000,
        }
    }
}

impl Guest {
    /// A guest with this operating system.
    pub(crate) fn of(platform: Platform) -> Self {
        let plain = Self::default();
        match platform {
            Platform::Linux => plain,
            Platform::FreeBsd => Self {
                os: OsInfo::freebsd(),
                ..plain
            },
            Platform::Windows => Self {
                os: OsInfo::windows(),
                devices: vec![serde_json::json!({
                    "driver-name": "Red Hat VirtIO SCSI controller",
                    "driver-date": 1_640_995_200_000_000_000_i64,
                    "driver-version": "100.85.104.20800",
                    "id": {"type": "pci", "vendor-id": 6900, "device-id": 4097},
                })],
                ..plain
            },
        }
    }

    /// Returns the account of this name.
    #[must_use]
    pub fn account(&self, name: &str) -> Option<&Account> {
        self.accounts.iter().find(|account| account.name == name)
    }
}
