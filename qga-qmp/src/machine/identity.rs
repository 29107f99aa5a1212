//! Whether an agent and a monitor are those of one machine.

use super::{Machine, MachineError};
use crate::commands::status::QueryUuid;

/// Where Linux tells the machine's UUID.
const UUID_OF_THE_GUEST: &str = "/sys/class/dmi/id/product_uuid";

impl Machine {
    /// Proves that agent and monitor are those of one machine, by its UUID: QEMU must have been given one by `-uuid`, and
    /// the guest must be a Linux whose firmware tells it (that of a kernel that QEMU starts directly does too).
    ///
    /// A hostile guest can read the UUID and cannot change what QEMU says, so it may pretend to be in the right place, but
    /// not that of another machine whose UUID it does not know.
    ///
    /// # Errors
    ///
    /// [`MachineError::NotProven`] if they differ or there is nothing to be compared; as
    /// [`Guest::read`](qga_commands::Guest::read) and [`Monitor::execute`](crate::Monitor::execute).
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, nothing is left behind.
    pub async fn prove(&self) -> Result<(), MachineError> {
        let told = self.monitor.execute(QueryUuid).await?.uuid;
        if told.bytes().all(|byte| byte == b'0' || byte == b'-') {
            let text = "QEMU was given no UUID (`-uuid`) by which its guest could be known";
            return Err(MachineError::NotProven(text.to_owned()));
        }
        let read = self.guest.read(UUID_OF_THE_GUEST).await?;
        let read = String::from_utf8_lossy(&read);
        if read.trim().eq_ignore_ascii_case(told.trim()) {
            return Ok(());
        }
        Err(MachineError::NotProven(format!(
            "the agent is in another machine: QEMU's has the UUID {told:?}, that of the guest is {:?}",
            read.trim().chars().take(64).collect::<String>()
        )))
    }
}
