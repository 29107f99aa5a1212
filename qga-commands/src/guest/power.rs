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
//! Each operation asks first whether the agent is there, sends its command once, and then looks at the
//! channel until it knows the [`Outcome`] or the time is up. An agent answers these commands only when
//! it fails, and that is the error. It is listened for during the client's
//! [grace](qga_core::Options::grace), 2 seconds unless set; an agent that finds out later that it has
//! failed is [`Outcome::StillRunning`].
//!
//! That the guest has gone all the way is for QEMU to say: an agent's silence is not a guest's.

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
    /// The old agent answers for a while. They are told apart by an open file, which only the old one
    /// knows. Where an agent does not let files be opened, or does not say so in 2 seconds, the first that
    /// answers after a second or more of silence is taken for the new one. Files and processes of the old
    /// one are [gone](crate::GuestError::AgentGone) then.
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
