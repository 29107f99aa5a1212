//! Shutting a guest down and putting it to sleep.
//!
//! ```no_run
//! # async fn example(guest: qga_commands::Guest) -> Result<(), qga_commands::GuestError> {
//! use qga_commands::guest::power::Outcome;
//! use std::time::Duration;
//!
//! match guest.shutdown().timeout(Duration::from_secs(60)).await? {
//!     Outcome::Off => println!("it is off"),
//!     outcome => println!("not yet: {outcome}"),
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Each operation first asks whether the agent is there, then sends its command once, and then watches the channel
//! until it knows the [`Outcome`] or the time is up. An agent answers these commands only when they fail, and that
//! answer is the operation's error. The operation waits for it during the client's
//! [grace](qga_core::Options::grace), 2 seconds unless set. If the agent fails later than that, the outcome is
//! [`Outcome::StillRunning`].
//!
//! Only QEMU knows for sure that a machine is off: the guest may still run when its agent has fallen silent.

mod outcome;
mod sentinel_file;
mod transition;
mod watch;

pub use outcome::Outcome;
pub use transition::Transition;

use super::Guest;
use transition::Way;

impl Guest {
    /// Shuts the guest down and powers its machine off: [`Outcome::Off`] once the channel is closed.
    pub fn shutdown(&self) -> Transition {
        Transition::new(self, Way::Powerdown)
    }

    /// Shuts the guest down and leaves its machine on: [`Outcome::Silent`] once its agent does not
    /// answer any more.
    pub fn halt(&self) -> Transition {
        Transition::new(self, Way::Halt)
    }

    /// Shuts the guest down and starts it again: [`Outcome::Back`] once an agent answers that was
    /// started since.
    ///
    /// The old agent still answers for a while. An open file, which only the old agent knows, tells it from the new
    /// one. If the agent does not allow files to be opened, or does not answer that within 2 seconds, the first agent
    /// that answers after at least a second of silence is taken for the new one. Files and processes of the old agent
    /// are [gone](crate::GuestError::AgentGone) then.
    pub fn reboot(&self) -> Transition {
        Transition::new(self, Way::Reboot)
    }

    /// Puts the guest to sleep with its memory kept: [`Outcome::Silent`] once its agent does not answer
    /// any more. A machine that cannot be woken sleeps until it is reset.
    ///
    /// To wait until it is awake again, see [`wait_ready`](Self::wait_ready).
    pub fn suspend_ram(&self) -> Transition {
        Transition::new(self, Way::SuspendRam)
    }

    /// Saves the guest's memory to its disk and powers its machine off: [`Outcome::Off`] once the
    /// channel is closed.
    pub fn suspend_disk(&self) -> Transition {
        Transition::new(self, Way::SuspendDisk)
    }

    /// Saves the guest's memory to its disk and puts it to sleep with its memory kept, as
    /// [`suspend_ram`](Self::suspend_ram) does. Not in Windows.
    pub fn suspend_hybrid(&self) -> Transition {
        Transition::new(self, Way::SuspendHybrid)
    }
}
