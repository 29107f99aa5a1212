//! What the guest is.

use super::{Guest, GuestError};
use crate::commands::os::{GetHostName, GetOsInfo, GuestOsInfo};

impl Guest {
    /// The guest's host name.
    ///
    /// ```no_run
    /// # async fn example(guest: qga_commands::Guest) -> Result<(), qga_commands::GuestError> {
    /// let os = guest.os_info().await?;
    /// let os = os.pretty_name.as_deref().unwrap_or("a system that does not tell its name");
    /// println!("{} runs {os}", guest.host_name().await?);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Since QEMU 2.10.
    ///
    /// # Errors
    ///
    /// As [`execute`](Self::execute).
    ///
    /// # Cancel safety
    ///
    /// As [`execute`](Self::execute); nothing is changed in the guest.
    pub async fn host_name(&self) -> Result<String, GuestError> {
        Ok(self.execute(GetHostName).await?.host_name)
    }

    /// The guest's operating system and its version. Each part that the guest does not tell is `None`.
    ///
    /// Since QEMU 2.10.
    ///
    /// # Errors
    ///
    /// As [`execute`](Self::execute).
    ///
    /// # Cancel safety
    ///
    /// As [`execute`](Self::execute); nothing is changed in the guest.
    pub async fn os_info(&self) -> Result<GuestOsInfo, GuestError> {
        self.execute(GetOsInfo).await
    }
}
