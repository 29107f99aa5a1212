//! The guest's disks and filesystems, and how full they are.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), qga_commands::GuestError> {
//! # let agent = qga_testserver::TestAgent::start().await;
//! # let guest = qga_commands::Guest::connect(agent.address()).await?;
//! for disk in guest.disk_usage().await? {
//!     let places = disk.mountpoints.join(", ");
//!     match disk.usage() {
//!         Some(usage) => println!("{places}: {:.0}% in use", usage * 100.0),
//!         None => println!("{places}: the guest does not tell how full it is"),
//!     }
//! }
//! # Ok(())
//! # }
//! ```

mod usage;

use super::{Guest, GuestError};
use crate::commands::disk::{GetDisks, GuestDiskInfo};
use crate::commands::fs::{GetFsInfo, GuestFilesystemInfo};

pub use usage::DiskUsage;

impl Guest {
    /// How full the guest's disks are. Each device is returned once, however often it is mounted.
    ///
    /// A guest [lists](Self::filesystems) a filesystem once for each place where it is mounted, with its whole size each
    /// time. A btrfs is mounted once for each subvolume, and systemd makes a bind mount for each service with a `/tmp` of
    /// its own. Here each filesystem counts once, so that sizes can be added:
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), qga_commands::GuestError> {
    /// # let agent = qga_testserver::TestAgent::start().await;
    /// # let guest = qga_commands::Guest::connect(agent.address()).await?;
    /// let disks = guest.disk_usage().await?;
    /// // `None` if the guest does not tell it for one of them.
    /// let total: Option<u64> = disks.iter().map(|disk| disk.total_bytes).sum();
    /// let used: Option<u64> = disks.iter().map(|disk| disk.used_bytes).sum();
    /// # assert_eq!(total, Some(20 << 30));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Devices that are no disk which could fill up are left out:
    ///
    /// - loop devices, such as those of snaps, since they are files of another filesystem;
    /// - RAM disks, compressed or not;
    /// - CD-ROMs and floppy disks;
    /// - read-only images, such as squashfs, erofs, iso9660 and udf;
    /// - if an agent lists them at all, filesystems in memory, on another machine, or over another filesystem, such as
    ///   tmpfs, NFS and overlay.
    ///
    /// [`filesystems`](Self::filesystems) returns all of them. A guest whose only writable filesystem is on a loop device,
    /// such as a small router, has no disk here.
    ///
    /// Since QEMU 2.2; their sizes since 3.0.
    ///
    /// # Errors
    ///
    /// As [`execute`](Self::execute).
    ///
    /// # Cancel safety
    ///
    /// As [`execute`](Self::execute); nothing is changed in the guest.
    pub async fn disk_usage(&self) -> Result<Vec<DiskUsage>, GuestError> {
        Ok(DiskUsage::of(&self.execute(GetFsInfo).await?))
    }

    /// The mounted filesystems, sorted by the place where they are mounted. The agent lists those on a block device, and
    /// not others such as tmpfs. One that is mounted at several places is listed several times, with the same sizes. To
    /// add sizes, use [`disk_usage`](Self::disk_usage).
    ///
    /// Since QEMU 2.2; their sizes since 3.0.
    ///
    /// # Errors
    ///
    /// As [`execute`](Self::execute).
    ///
    /// # Cancel safety
    ///
    /// As [`execute`](Self::execute); nothing is changed in the guest.
    pub async fn filesystems(&self) -> Result<Vec<GuestFilesystemInfo>, GuestError> {
        let mut told = self.execute(GetFsInfo).await?;
        told.sort_by(|a, b| a.mountpoint.cmp(&b.mountpoint));
        Ok(told)
    }

    /// The disks and partitions, mounted or not, sorted by name.
    ///
    /// Since QEMU 5.2, on Linux and Windows.
    ///
    /// # Errors
    ///
    /// As [`execute`](Self::execute).
    ///
    /// # Cancel safety
    ///
    /// As [`execute`](Self::execute); nothing is changed in the guest.
    pub async fn disks(&self) -> Result<Vec<GuestDiskInfo>, GuestError> {
        let mut told = self.execute(GetDisks).await?;
        told.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(told)
    }
}

impl GuestFilesystemInfo {
    /// The share of its space that is in use, from 0 to 1. Space that is reserved for root does not count as free. `None`
    /// if the guest does not tell, as before QEMU 3.0; that is not the same as 0.
    #[must_use]
    pub fn usage(&self) -> Option<f64> {
        usage(self.used_bytes?, self.total_bytes?)
    }

    /// The number of bytes that ordinary users can still write. `None` if the guest does not tell, as before QEMU 3.0.
    #[must_use]
    pub fn free_bytes(&self) -> Option<u64> {
        Some(self.total_bytes?.saturating_sub(self.used_bytes?))
    }
}

#[allow(clippy::cast_precision_loss, reason = "a ratio needs no more")]
fn usage(used: u64, total: u64) -> Option<f64> {
    (total > 0).then(|| (used as f64 / total as f64).min(1.0))
}
