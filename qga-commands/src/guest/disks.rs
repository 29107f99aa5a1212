//! The guest's disks and filesystems, and how full they are.
//!
//! ```no_run
//! # async fn example(guest: qga_commands::Guest) -> Result<(), qga_commands::GuestError> {
//! for filesystem in guest.filesystems().await? {
//!     let percent = filesystem.usage().unwrap_or(0.0) * 100.0;
//!     println!("{}: {percent:.0}% in use", filesystem.mountpoint);
//! }
//! # Ok(())
//! # }
//! ```

use super::{Guest, GuestError};
use crate::disk::{GetDisks, GuestDiskInfo};
use crate::fs::{GetFsInfo, GuestFilesystemInfo};

impl Guest {
    /// The mounted filesystems, by where they are mounted. The agent tells of those that are on a disk,
    /// and not of others such as tmpfs.
    ///
    /// Since QEMU 2.2; how large they are and how full, since 3.0.
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

    /// The disks and partitions by their names, mounted or not.
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
    /// How much of it is in use, from 0 for nothing to 1 for full. What is kept for root does not
    /// count as free. `None` if the guest does not tell, as before QEMU 3.0.
    #[must_use]
    #[allow(clippy::cast_precision_loss, reason = "a ratio needs no more")]
    pub fn usage(&self) -> Option<f64> {
        let (used, total) = (self.used_bytes?, self.total_bytes?);
        (total > 0).then(|| (used as f64 / total as f64).min(1.0))
    }

    /// Bytes that ordinary users may still fill. `None` if the guest does not tell, as before QEMU
    /// 3.0.
    #[must_use]
    pub fn free_bytes(&self) -> Option<u64> {
        Some(self.total_bytes?.saturating_sub(self.used_bytes?))
    }
}
