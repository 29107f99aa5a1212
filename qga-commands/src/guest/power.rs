//! Shutting a guest down and putting it to sleep.
//!
//! An agent answers these commands only when it fails. So each operation asks first whether the agent
//! is there, sends its command once, and then listens for the client's
//! [grace](qga_core::Options::grace), 2 seconds unless set. What it returns tells what was heard:
//!
//! - [`NoReply::Closed`]: the channel closed, as it does when the machine powers off.
//! - [`NoReply::Silent`]: no error came, and the channel is open. A reboot keeps it open, and the agent
//!   answers again once the guest has booted; so do a halt and a suspend, in silence.
//!
//! That the guest has gone all the way is for QEMU to say. [`Guest::wait_ready`] waits for one that comes
//! back.

use qga_core::{NoReply, QgaCommand};

use super::{Guest, GuestError};
use crate::agent::Ping;
use crate::power::{Shutdown, SuspendDisk, SuspendHybrid, SuspendRam};

impl Guest {
    /// Shuts the guest down and powers its machine off.
    ///
    /// # Errors
    ///
    /// When the agent is not there, in which case nothing was sent, and when it answers that it has
    /// failed.
    ///
    /// # Cancel safety
    ///
    /// The guest may be on its way.
    pub async fn shutdown(&self) -> Result<NoReply, GuestError> {
        self.send_off(Shutdown::new().mode("powerdown")).await
    }

    /// Shuts the guest down and leaves its machine on: it goes silent.
    ///
    /// # Errors
    ///
    /// As [`shutdown`](Self::shutdown).
    ///
    /// # Cancel safety
    ///
    /// As [`shutdown`](Self::shutdown).
    pub async fn halt(&self) -> Result<NoReply, GuestError> {
        self.send_off(Shutdown::new().mode("halt")).await
    }

    /// Shuts the guest down and starts it again. The agent may answer for a moment before it goes.
    ///
    /// # Errors
    ///
    /// As [`shutdown`](Self::shutdown).
    ///
    /// # Cancel safety
    ///
    /// As [`shutdown`](Self::shutdown).
    pub async fn reboot(&self) -> Result<NoReply, GuestError> {
        self.send_off(Shutdown::new().mode("reboot")).await
    }

    /// Puts the guest to sleep with its memory kept. A machine that cannot be woken sleeps until it is
    /// reset.
    ///
    /// # Errors
    ///
    /// As [`shutdown`](Self::shutdown).
    ///
    /// # Cancel safety
    ///
    /// As [`shutdown`](Self::shutdown).
    pub async fn suspend_ram(&self) -> Result<NoReply, GuestError> {
        self.send_off(SuspendRam).await
    }

    /// Saves the guest's memory to its disk and powers its machine off.
    ///
    /// # Errors
    ///
    /// As [`shutdown`](Self::shutdown).
    ///
    /// # Cancel safety
    ///
    /// As [`shutdown`](Self::shutdown).
    pub async fn suspend_disk(&self) -> Result<NoReply, GuestError> {
        self.send_off(SuspendDisk).await
    }

    /// Saves the guest's memory to its disk and puts it to sleep with its memory kept. Not in Windows.
    ///
    /// # Errors
    ///
    /// As [`shutdown`](Self::shutdown).
    ///
    /// # Cancel safety
    ///
    /// As [`shutdown`](Self::shutdown).
    pub async fn suspend_hybrid(&self) -> Result<NoReply, GuestError> {
        self.send_off(SuspendHybrid).await
    }

    async fn send_off<C>(&self, command: C) -> Result<NoReply, GuestError>
    where
        C: QgaCommand<Response = NoReply>,
    {
        self.before(C::NAME).await?;
        // An agent that is not there would be taken for one that obeys in silence.
        match self.execute(Ping).await {
            Err(GuestError::Command(error)) if error.agent_error().is_some() => {}
            pinged => drop(pinged?),
        }
        self.execute(command).await
    }
}
