//! Freezing the guest's filesystems for a snapshot, and thawing them whatever happens.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let agent = qga_testserver::TestAgent::start().await;
//! # let guest = qga_commands::Guest::connect(agent.address()).await?;
//! # async fn take_snapshot() -> std::io::Result<()> { Ok(()) }
//! let (snapshot, thawed) = guest.while_frozen(take_snapshot).await?;
//! snapshot?;
//! assert!(thawed?.is_complete());
//! # Ok(())
//! # }
//! ```
//!
//! [`until`](WhileFrozen::until) ends the work early, at a signal or after a time. This freezes only some filesystems:
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let agent = qga_testserver::TestAgent::start().await;
//! # let guest = qga_commands::Guest::connect(agent.address()).await?;
//! # async fn take_snapshot() -> std::io::Result<()> { Ok(()) }
//! let frozen = guest.freeze_only(["/", "/srv"]).await?;
//! take_snapshot().await?; // on an error, `frozen` is dropped, and that thaws
//! let thawed = frozen.thaw().await?;
//! # Ok(())
//! # }
//! ```
//!
//! # While they are frozen
//!
//! A program of the guest that writes to a frozen filesystem has to wait, so be quick. Windows holds writes for
//! 10 seconds and then thaws by itself; [`Thawed::is_complete`] tells whether that happened.
//!
//! An agent carries out only a few commands while filesystems are frozen. Through this [`Guest`], its
//! [client](Guest::client) and all clones of them, all other commands fail at once: with [`GuestError::Frozen`] from a
//! `Guest`, and with [`ErrorKind::NotAllowed`](qga_core::ErrorKind::NotAllowed) from a client.
//!
//! Once a thaw has begun, also one in the background, such commands wait for it instead, each within its own timeout.
//! They fail only if the guest stays frozen.
//!
//! # What happens in the worst case
//!
//! A freeze is sent once. If its reply is lost, the agent is asked whether filesystems are frozen. When a future or a
//! [`Frozen`] is dropped before the thaw, because of a deadline, an abort, an error or a panic, the guest is thawed in
//! the background. This is tried for up to ten minutes, also while the channel is lost. If it does not succeed by then,
//! commands are no longer held back, and the next command through a [`Guest`] that cannot run while filesystems are
//! frozen thaws them first. [`Guest::thaw`] thaws them at any time.
//!
//! A tokio runtime that is dropped meanwhile, as after an early return or a panic in `main`, waits up to 90 seconds for
//! that thaw. It does not wait after
//! [`shutdown_background`](https://docs.rs/tokio/latest/tokio/runtime/struct.Runtime.html#method.shutdown_background);
//! then a thread goes on with the thaw.
//!
//! A freeze belongs to the guest and not to its agent. It goes on when the agent is killed, and ends when the guest
//! reboots. A thaw after a reboot thaws 0 filesystems, so [`Thawed::is_complete`] is false. It also thaws what somebody
//! else has frozen since, as an agent does not tell who has frozen.
//!
//! A runtime with one thread makes no progress while nobody is in its
//! [`block_on`](https://docs.rs/tokio/latest/tokio/runtime/struct.Runtime.html#method.block_on). So if a [`Frozen`] is dropped outside
//! of `block_on`, or right before it returns, the guest is thawed only when `block_on` is called again or when the
//! runtime is dropped. Await [`Frozen::thaw`] inside instead.
//!
//! # Ctrl-C and other ends of the process
//!
//! A signal that ends the process leaves the guest frozen, unless the program handles it: let
//! [`until`](WhileFrozen::until) end the work at SIGINT and SIGTERM, as the example `snapshot_freeze` does.
//! Nothing helps against SIGKILL, [`exit`](std::process::exit), an abort, or a power failure of the host. Then the guest
//! stays frozen until somebody thaws it, even if its agent is restarted. The next freeze fails with
//! [`GuestError::Frozen`]; [`Guest::thaw`] thaws the guest, whoever has frozen it.

mod background;
mod frozen;
mod state;
mod thaw;
mod work;

pub use frozen::Frozen;
pub(super) use state::{State, runs_while_frozen};
pub use thaw::Thawed;
pub use work::{WhileFrozen, WorkOutcome};

use std::time::Duration;

use super::{Guest, GuestError};

impl Guest {
    /// Freezes all local filesystems.
    ///
    /// # Errors
    ///
    /// - [`GuestError::Frozen`] when filesystems are frozen already, by this client or by somebody else. They stay
    ///   frozen.
    /// - [`GuestError::NothingFrozen`] when there was nothing to freeze.
    /// - [`GuestError::InvalidInput`] when this client or the agent does not allow the thaw.
    /// - [`GuestError::MaybeFrozen`] when it is not known whether they are frozen. They are thawed in the background.
    /// - As [`execute`](Self::execute) when the agent cannot freeze them. Then they are not frozen.
    ///
    /// # Cancel safety
    ///
    /// When the future is dropped, the filesystems are thawed in the background.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    pub async fn freeze(&self) -> Result<Frozen, GuestError> {
        frozen::freeze(self, None).await
    }

    /// Freezes the filesystems that are mounted at these places of the guest. An agent passes over places where
    /// nothing is mounted; [`Frozen::count`] tells how many filesystems were frozen.
    ///
    /// Since QEMU 2.2.
    ///
    /// # Errors
    ///
    /// As [`freeze`](Self::freeze).
    ///
    /// # Cancel safety
    ///
    /// As [`freeze`](Self::freeze).
    ///
    /// # Panics
    ///
    /// As [`freeze`](Self::freeze).
    pub async fn freeze_only(
        &self,
        mountpoints: impl IntoIterator<Item = impl Into<String>>,
    ) -> Result<Frozen, GuestError> {
        let mountpoints = mountpoints.into_iter().map(Into::into).collect();
        frozen::freeze(self, Some(mountpoints)).await
    }

    /// Freezes all local filesystems, does some work, and thaws them. The work is a closure that returns a future; it
    /// is called once the filesystems are frozen.
    ///
    /// Ctrl-C and SIGTERM end the process and leave the guest frozen, unless [`until`](WhileFrozen::until) lets
    /// them end the work.
    ///
    /// # Errors
    ///
    /// As [`freeze`](Self::freeze) when the filesystems cannot be frozen; the work has not begun then. Otherwise the
    /// result is a pair: what the work returned, be it an error, and the result of [`Frozen::thaw`].
    ///
    /// # Cancel safety
    ///
    /// When the future is dropped, or the work panics, the filesystems are thawed in the background.
    ///
    /// # Panics
    ///
    /// As [`freeze`](Self::freeze).
    pub fn while_frozen<W, F>(&self, work: W) -> WhileFrozen<'_, W>
    where
        W: FnOnce() -> F,
        F: Future,
    {
        WhileFrozen::new(self, work)
    }

    /// Thaws all frozen filesystems, whoever has frozen them. It is no error if none are frozen.
    ///
    /// # Errors
    ///
    /// [`GuestError::MaybeFrozen`] when several attempts have failed.
    ///
    /// # Cancel safety
    ///
    /// The future may be dropped, and `thaw` called again.
    pub async fn thaw(&self) -> Result<Thawed, GuestError> {
        thaw::thaw(self, thaw::SHORT).await
    }

    /// Thaws what a thaw in the background was given up for.
    pub(super) async fn thaw_if_owed(&self) -> Result<(), GuestError> {
        if self.client.attachment::<State>().owes_thaw() {
            thaw::thaw(self, Duration::ZERO).await?;
        }
        Ok(())
    }
}
