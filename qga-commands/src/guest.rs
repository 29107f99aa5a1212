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

use qga_core::{Address, AddressError, Client, Execution, QgaCommand};

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
            let waits = !freeze::runs_while_frozen(C::NAME) && self.is_frozen();
            if error.is_not_allowed() && waits {
                return GuestError::Frozen { command: C::NAME };
            }
            error.into()
        })
    }

    /// Whether this client has frozen the guest's filesystems.
    fn is_frozen(&self) -> bool {
        self.client.attachment::<freeze::State>().is_frozen()
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
        if !freeze::runs_while_frozen(command) {
            self.thaw_if_owed().await?;
        }
        let dropped = self.client.attachment::<files::Dropped>();
        while let Some(handle) = dropped.take() {
            let Err(error) = self.client.execute(FileClose::new(handle)).await else {
                continue;
            };
            // Closing a file twice can be the end of an agent, so only what was not sent is sent again.
            let not_run = error.execution() == Execution::NotRun;
            if not_run {
                dropped.push(handle);
            }
            // The command is not to wait for one lost answer after the other.
            if not_run || error.agent_error().is_none() {
                break;
            }
        }
        Ok(())
    }
}

impl From<Client> for Guest {
    fn from(client: Client) -> Self {
        Self::new(client)
    }
}
