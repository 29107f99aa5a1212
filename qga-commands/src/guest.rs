//! The operations on a guest, as methods of [`Guest`]. The [front page](crate) has a table of them.
//!
//! # What holds for all operations
//!
//! - **Errors**: an operation fails with a [`GuestError`]. It tells what was done, what went wrong, and whether the
//!   operation may have changed the guest.
//! - **Time**: each command has the client's [timeout](qga_core::Options::timeout). An operation that takes several
//!   commands, or waits for something, has a method `timeout` that limits all of it. [`Guest::within`] gives several
//!   operations one deadline.
//! - **Cancellation**: every future may be dropped at any time. Each operation documents what happens in the guest
//!   then, under "Cancel safety".

pub mod accounts;
mod admission;
mod builder;
mod clean_up;
pub mod clock;
pub mod copy;
pub mod disks;
mod error;
mod facts;
pub mod files;
pub mod freeze;
pub mod fs;
pub mod fstrim;
mod health;
pub mod hotplug;
mod machine;
pub mod network;
mod output;
mod pace;
pub mod power;
mod presence;
pub mod process;
pub mod ready;
mod records;
mod retries;
pub mod scripts;
mod shell;
pub mod ssh_keys;
mod system;

use std::sync::Arc;
use std::time::Duration;

use qga_core::{Address, AddressError, Client, Contact, Error, Execution, QgaCommand};
use tokio::time::timeout;

use crate::commands::agent::Ping;
use crate::incarnation::{Dropped, Owned};
use crate::{backoff, optional};

pub use crate::incarnation::AgentResource;
pub use builder::GuestBuilder;
pub use error::GuestError;
pub use facts::GuestFacts;
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
    /// A guest that is reached through an existing client.
    #[must_use]
    pub fn new(client: Client) -> Self {
        // From here on the client keeps in mind whether it is still the same agent that answers.
        let _present = client.contact();
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

    /// Sets timeouts and limits before connecting.
    pub fn builder() -> GuestBuilder {
        GuestBuilder::new()
    }

    /// Returns a handle on the same guest whose commands and operations have this much time in all, counted from
    /// now. A deadline that this handle already has is never moved to a later time. The error of an operation that is
    /// cut off names the command that hung.
    ///
    /// ```no_run
    /// # async fn example(guest: qga_commands::Guest) -> Result<(), qga_commands::GuestError> {
    /// use std::time::Duration;
    ///
    /// let limited = guest.within(Duration::from_secs(60));
    /// let name = limited.host_name().await?;
    /// let filesystems = limited.filesystems().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Cleaning up goes on after the deadline: filesystems are [thawed](Self::while_frozen), temporary files are
    /// removed, and programs are [killed](process::Command::kill_on_drop) that are to be. What the caller does between
    /// the commands, such as the work of [`while_frozen`](Self::while_frozen), is not cut off.
    ///
    /// The deadline of [`GuestBuilder::within`] includes connecting.
    #[must_use]
    pub fn within(&self, time: Duration) -> Self {
        Self::new(self.client.within(time))
    }

    /// The client through which this guest is reached, for single commands.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Runs a command; see [`Client::execute`]. Files of the guest that were dropped without being closed are
    /// closed first.
    ///
    /// # Errors
    ///
    /// As [`Client::execute`], and [`GuestError::Frozen`].
    ///
    /// # Cancel safety
    ///
    /// As [`Client::execute`].
    pub async fn execute<C: QgaCommand>(&self, command: C) -> Result<C::Response, GuestError> {
        Ok(self.execute_with_contact(command).await?.0)
    }

    async fn execute_with_contact<C: QgaCommand>(
        &self,
        command: C,
    ) -> Result<(C::Response, Contact), GuestError> {
        self.before(C::NAME).await?;
        let (result, contact) = self.client.execute_with_contact(command).await;
        let result = result.map_err(|error| self.explain(C::NAME, error));
        Ok((result?, contact))
    }

    /// The error of a command, which may have been kept back since filesystems are frozen.
    fn explain(&self, command: &'static str, error: Error) -> GuestError {
        let waits = !freeze::runs_while_frozen(command) && self.is_frozen();
        if error.is_not_allowed() && waits {
            return self.frozen(command);
        }
        error.into()
    }

    /// Asks whether an agent is there. One that answers that it may not tell is there too.
    async fn ping(&self) -> Result<(), Error> {
        if !self.client.allows(Ping::NAME) {
            return self.client.sync().await;
        }
        match self.client.execute(Ping).await {
            Err(error) if error.agent_error().is_none() => Err(error),
            _ => Ok(()),
        }
    }

    /// Whether this client has frozen the guest's filesystems.
    fn is_frozen(&self) -> bool {
        self.client.attachment::<freeze::State>().is_frozen()
    }

    /// This client has frozen the guest, so a command has to wait.
    fn frozen(&self, command: &'static str) -> GuestError {
        GuestError::Frozen {
            command,
            by_this_client: true,
            address: self.client.address().cloned().map(Box::new),
        }
    }

    /// For what has to be done although the deadline of the handle has passed: what was begun is undone.
    fn without_deadline(&self) -> Self {
        let options = self.client.options().deadline(None);
        Self::new(self.client.with_options(options))
    }

    /// The guest for what has to be done, such as a thaw: its commands wait for a channel that was lost, and
    /// have the time that they need, whatever the handle gives to others.
    fn persistent(&self) -> Self {
        const LEAST: Duration = Duration::from_secs(5);
        let options = self.client.options();
        let timeout = options.command_timeout().max(LEAST);
        let options = options.timeout(timeout).wait_for_channel(true);
        Self::new(self.client.with_options(options))
    }

    /// Waits until this client's freeze is over, ten minutes at most: for what is to be done in the
    /// background, where nobody would do it again.
    async fn thawed(&self) {
        let state = self.client.attachment::<freeze::State>();
        let end = backoff::after(Duration::from_secs(600));
        state.thawed_by(end).await;
    }

    /// What is due before any command: nothing else while filesystems are frozen.
    async fn before(&self, command: &'static str) -> Result<(), GuestError> {
        let state = self.client.attachment::<freeze::State>();
        if state.is_frozen() {
            // The client itself has commands wait for a thaw that is under way.
            return if freeze::runs_while_frozen(command) || state.is_thawing() {
                Ok(())
            } else {
                Err(self.frozen(command))
            };
        }
        if !freeze::runs_while_frozen(command) {
            self.thaw_if_owed().await?;
        }
        let dropped = self.client.attachment::<Dropped>();
        while let Some(file) = dropped.take() {
            // In a task, so that none is forgotten if this future is dropped, and short, since it is not
            // what was asked for.
            let closing = tokio::spawn(close(self.client.clone(), file));
            let closed = timeout(optional::time(&self.client), closing).await;
            if !matches!(closed, Ok(Ok(true))) {
                break;
            }
        }
        Ok(())
    }
}

/// Closes a file that was dropped. Whether the agent has answered: if it does not, the command that
/// waits for this should not wait for many of these.
async fn close(client: Client, file: Arc<Owned>) -> bool {
    let guest = Guest::new(optional::in_short(&client));
    let dropped = client.attachment::<Dropped>();
    let Err(error) = guest.close_dropped(&file).await else {
        dropped.tried(true);
        return true;
    };
    match error.execution() {
        _ if error.is_agent_gone() => return true,
        // Closing a file twice can be the end of an agent, so only what was not sent is sent again.
        Execution::NotRun => dropped.push(file),
        Execution::Answered => return true,
        _ => dropped.tried(false),
    }
    false
}

impl From<Client> for Guest {
    fn from(client: Client) -> Self {
        Self::new(client)
    }
}
