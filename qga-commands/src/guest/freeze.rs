//! Filesystems brought to rest for a snapshot, and never left so.
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
//! [`until`](WhileFrozen::until) ends the work early, at a signal or after a time. For some filesystems only:
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
//! The guest's programs wait as soon as they write, so be quick. Windows holds writes for 10 seconds and
//! then lets them go by itself; [`Thawed::is_complete`] tells. Through this [`Guest`], its
//! [client](Guest::client) and all clones only the few commands run that an agent carries out then; all
//! others fail at once with [`GuestError::Frozen`], from the client with
//! [`ErrorKind::NotAllowed`](qga_core::ErrorKind::NotAllowed).
//!
//! From when a thaw begins, also one in the background, they wait for it instead, each within its own time,
//! and fail only if the guest stays frozen.
//!
//! # What happens in the worst case
//!
//! A freeze is sent once. Where its reply is lost, the agent is asked whether it is frozen. When a
//! future or a [`Frozen`] is dropped on the way, by a deadline, an abort, an error or a panic, it is
//! thawed in the background, for up to ten minutes, also where the channel is away for a while.
//! After that nothing is held back any more, and the next command through a [`Guest`] that has to wait
//! for a thaw thaws first; [`Guest::thaw`] does so at any time.
//!
//! A runtime that ends meanwhile, as after an early return or a panic in `main`, waits for that thaw
//! for up to 90 seconds when it is dropped. It does not wait after
//! [`shutdown_background`](https://docs.rs/tokio/latest/tokio/runtime/struct.Runtime.html#method.shutdown_background); a thread goes on then.
//!
//! A freeze belongs to the guest and not to its agent: it outlives an agent that is killed, and ends with a
//! reboot. The thaw after that counts 0, so that [`Thawed::is_complete`] is false; what somebody else has
//! frozen since is thawed by it too, since an agent does not tell who has frozen.
//!
//! A runtime of one thread does nothing while nobody is in its
//! [`block_on`](https://docs.rs/tokio/latest/tokio/runtime/struct.Runtime.html#method.block_on). So a [`Frozen`] that is dropped outside, or right before that
//! returns, thaws when `block_on` is called again, or when the runtime is dropped, and not before: await
//! [`Frozen::thaw`] inside.
//!
//! # Ctrl-C and other ends of the process
//!
//! A signal that ends the process leaves the guest frozen, unless the program handles it: let
//! [`until`](WhileFrozen::until) end the work at SIGINT and SIGTERM, as the example `snapshot_freeze` does.
//! Nothing helps against SIGKILL, [`exit`](std::process::exit), an abort, or the host's loss of power: then the
//! guest stays frozen, also when its agent is killed and starts again, until somebody thaws it. The next freeze
//! fails with [`GuestError::Frozen`], and [`Guest::thaw`] thaws, whoever has frozen.

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
    /// [`GuestError::Frozen`] when they are frozen already, by this client or by somebody else, who is
    /// left alone; [`GuestError::NothingFrozen`] when there was nothing to freeze;
    /// [`GuestError::InvalidInput`] when this client or its agent does not allow the thaw; and when the agent
    /// cannot freeze them, in which case they are not frozen. If that is not known
    /// ([`GuestError::MaybeFrozen`]), they are being thawed.
    ///
    /// # Cancel safety
    ///
    /// After the future is dropped, what it has frozen is thawed in the background.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    pub async fn freeze(&self) -> Result<Frozen, GuestError> {
        frozen::freeze(self, None).await
    }

    /// Freezes some filesystems, by where they are mounted in the guest; since QEMU 2.2. An agent
    /// passes over those that it does not have: compare [`Frozen::count`].
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

    /// Freezes all local filesystems, does some work, and thaws them. The work begins when they are
    /// frozen: it is a closure that returns a future.
    ///
    /// Ctrl-C and SIGTERM end the process and leave the guest frozen, unless [`until`](WhileFrozen::until) lets
    /// them end the work.
    ///
    /// # Errors
    ///
    /// As [`freeze`](Self::freeze) when the freezing fails: the work has not begun. What the work
    /// returns, an error too, comes back in any case, beside what came of the thaw, as
    /// [`Frozen::thaw`] has it.
    ///
    /// # Cancel safety
    ///
    /// After the future is dropped, what it has frozen is thawed in the background. So it is when the
    /// work panics.
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

    /// Thaws what is frozen, whoever has frozen it. None being frozen is no error.
    ///
    /// # Errors
    ///
    /// [`GuestError::MaybeFrozen`] when it does not succeed in several attempts.
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
