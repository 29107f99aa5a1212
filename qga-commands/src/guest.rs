//! What people do with a guest: run programs in it, read and write its files, freeze
//! its filesystems for a snapshot, wait until it is
//! ready, shut it down; passwords and SSH keys, processors and memory, clock, network and disks.
//!
//! A [`Guest`] stands on a [`Client`] and on the commands of this crate.

pub mod accounts;
mod backoff;
pub mod clock;
pub mod copy;
pub mod disks;
mod error;
pub mod files;
pub mod freeze;
pub mod fstrim;
mod health;
pub mod hotplug;
pub mod network;
pub mod power;
pub mod process;
pub mod ready;
pub mod ssh_keys;

use std::time::Duration;

use backoff::Backoff;
use qga_core::{Address, AddressError, Client, Execution, QgaCommand};

use tokio::time::Instant;

use crate::file::FileClose;

pub use error::GuestError;
pub use health::{Health, HealthState};

/// A guest, seen through its agent.
///
/// Cloning is cheap; clones share the channel, as clones of a [`Client`] do.
///
/// ```no_run
/// use qga_commands::Guest;
///
/// # async fn example() -> Result<(), qga_commands::GuestError> {
/// let guest = Guest::connect("unix:/run/vm1/qga.sock").await?;
/// let output = guest.command("uname").arg("-r").output().await?;
/// println!("{}", output.stdout_lossy());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Guest {
    client: Client,
}

impl Guest {
    /// A guest behind a client that is there already.
    #[must_use]
    pub fn new(client: Client) -> Self {
        Self { client }
    }

    /// Connects to a guest's agent; see [`Client::connect`].
    ///
    /// # Errors
    ///
    /// As [`Client::connect`].
    ///
    /// # Cancel safety
    ///
    /// As [`Client::connect`].
    pub async fn connect<A>(address: A) -> Result<Self, GuestError>
    where
        A: TryInto<Address, Error: Into<AddressError>>,
    {
        Ok(Self::new(Client::connect(address).await?))
    }

    /// The client below, for single commands.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Runs a command; see [`Client::execute`]. Files that were dropped without a close are closed
    /// first.
    ///
    /// # Errors
    ///
    /// As [`Client::execute`], and [`GuestError::Frozen`].
    ///
    /// # Cancel safety
    ///
    /// As [`Client::execute`].
    pub async fn execute<C: QgaCommand>(&self, command: C) -> Result<C::Response, GuestError> {
        self.before(C::NAME).await?;
        let result = self.client.execute(command).await;
        result.map_err(|error| {
            if error.is_not_allowed() && self.is_frozen() {
                return GuestError::Frozen { command: C::NAME };
            }
            error.into()
        })
    }

    /// Whether this client has frozen the guest's filesystems.
    fn is_frozen(&self) -> bool {
        self.client.attachment::<freeze::State>().is_frozen()
    }

    /// Waits until this client's freeze is over, ten minutes at most: for what is to be done in the
    /// background, where nobody would do it again.
    async fn thawed(&self) {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(1));
        let end = backoff::after(Duration::from_secs(600));
        while self.is_frozen() && Instant::now() < end {
            backoff.pause().await;
        }
    }

    /// What is due before any command: nothing else while filesystems are frozen.
    async fn before(&self, command: &'static str) -> Result<(), GuestError> {
        if self.is_frozen() {
            return if freeze::runs_while_frozen(command) {
                Ok(())
            } else {
                Err(GuestError::Frozen { command })
            };
        }
        let dropped = self.client.attachment::<files::Dropped>();
        while let Some(handle) = dropped.take() {
            // In a task, so that none is forgotten if this future is dropped.
            let closing = tokio::spawn(close(self.client.clone(), handle));
            if !closing.await.unwrap_or_default() {
                break;
            }
        }
        Ok(())
    }
}

/// Closes a file that was dropped. Whether the agent has answered: if it does not, the command that
/// waits for this should not wait for many of these.
async fn close(client: Client, handle: i64) -> bool {
    let Err(error) = client.execute(FileClose::new(handle)).await else {
        return true;
    };
    // Closing a file twice can be the end of an agent, so only what was not sent is sent again.
    if error.execution() == Execution::NotRun {
        client.attachment::<files::Dropped>().push(handle);
    }
    error.execution() == Execution::Answered
}

impl From<Client> for Guest {
    fn from(client: Client) -> Self {
        Self::new(client)
    }
}
