//! Filesystems brought to rest for a snapshot, and never left so.
//!
//! ```no_run
//! # async fn take_snapshot() -> std::io::Result<()> { Ok(()) }
//! # async fn example(guest: qga_commands::Guest) -> Result<(), Box<dyn std::error::Error>> {
//! let (snapshot, thawed) = guest.while_frozen(take_snapshot()).await?;
//! snapshot?;
//! assert!(thawed.is_complete());
//! # Ok(())
//! # }
//! ```
//!
//! # While they are frozen
//!
//! The guest's programs wait as soon as they write, so be quick. Windows thaws by itself after 10
//! seconds; [`Thawed::is_complete`] tells. Through this [`Guest`] and its clones only the few commands
//! run that an agent carries out then; all others fail at once with [`GuestError::Frozen`]. A command
//! through [`Guest::client`] is not held back, and the agent refuses it.
//!
//! # What happens in the worst case
//!
//! A freeze is sent once. Where its reply is lost, the agent is asked whether it is frozen. When a
//! future or a [`Frozen`] is dropped on the way, by a deadline or a panic, a task is spawned that
//! thaws, for up to ten minutes, also where the channel has to be opened again. That task dies with its
//! runtime: end a program by way of [`Frozen::thaw`] or [`Guest::thaw`].

mod frozen;
mod state;
mod thaw;

pub use frozen::Frozen;
pub(super) use state::State;
pub use thaw::Thawed;

use super::{Guest, GuestError};

impl Guest {
    /// Freezes all local filesystems.
    ///
    /// # Errors
    ///
    /// When the agent cannot freeze them; they are not frozen then. If it is not known
    /// ([`GuestError::MaybeFrozen`]), they are being thawed.
    ///
    /// # Cancel safety
    ///
    /// After the future is dropped, what it has frozen is thawed by a task of its own.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    pub async fn freeze(&self) -> Result<Frozen, GuestError> {
        frozen::freeze(self, None).await
    }

    /// Freezes some filesystems, by where they are mounted in the guest.
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

    /// Freezes all local filesystems, does some work, and thaws them.
    ///
    /// # Errors
    ///
    /// When the freezing fails, without the work; and when the thawing fails, after it
    /// ([`GuestError::MaybeFrozen`]). What the work returns, an error too, is in the result.
    ///
    /// # Cancel safety
    ///
    /// After the future is dropped, what it has frozen is thawed by a task of its own. So it is when
    /// the work panics.
    ///
    /// # Panics
    ///
    /// As [`freeze`](Self::freeze).
    pub async fn while_frozen<T>(
        &self,
        work: impl Future<Output = T>,
    ) -> Result<(T, Thawed), GuestError> {
        let frozen = self.freeze().await?;
        let result = work.await;
        Ok((result, frozen.thaw().await?))
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
        thaw::thaw(self, None, thaw::SHORT).await
    }
}
