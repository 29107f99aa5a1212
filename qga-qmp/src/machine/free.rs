//! Freeing an agent from a client that hangs.

use super::{Machine, MachineError};
use crate::commands::object::{Yank, YankInstance, YankInstanceChardev};

impl Machine {
    /// Throws whoever is connected to the agent's socket off it, such as another program that hangs, so that the next
    /// one who waits there is served. It is never done by itself. A client of this machine is thrown off too, and connects
    /// again with its next command.
    ///
    /// # Errors
    ///
    /// [`MachineError::Unsupported`] if the machine has no virtio port for an agent; QEMU's own error if the port is not
    /// at a socket; and as [`Monitor::execute`](crate::Monitor::execute).
    ///
    /// # Cancel safety
    ///
    /// As [`Monitor::execute`](crate::Monitor::execute).
    pub async fn free_agent(&self) -> Result<(), MachineError> {
        let Some(port) = self.monitor.agent_port().await? else {
            let text = "the machine has no virtio port for an agent, of which a client could be thrown off";
            return Err(MachineError::Unsupported(text.to_owned()));
        };
        let socket = YankInstance::Chardev(YankInstanceChardev::new(port.chardev));
        self.monitor.execute_oob(Yank::new([socket])).await?;
        Ok(())
    }
}
