//! Waiting until a guest is ready.
//!
//! ```no_run
//! # async fn example() -> Result<(), qga_commands::GuestError> {
//! use qga_commands::guest::ready::Ready;
//! use std::time::Duration;
//!
//! let ready = Ready::ping().command("guest-exec").within(Duration::from_secs(120));
//! let guest = ready.connect("unix:/run/vm1/qga.sock").await?;
//! # Ok(())
//! # }
//! ```

use std::fmt;
use std::time::Duration;

use qga_core::{Address, AddressError, Client, Error};
use tokio::time::{Instant, timeout_at};

use super::backoff::Backoff;
use super::{Guest, GuestError};
use crate::agent::Ping;
use crate::capabilities::{Capabilities, Refusal};

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// What a guest must do to be ready, and how long to wait for it.
#[derive(Clone, Debug)]
#[must_use = "nothing is waited for until `connect` or `Guest::wait_ready` is called"]
pub struct Ready {
    commands: Vec<String>,
    within: Duration,
}

/// How far a guest has come that did not become ready.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stage {
    /// Its agent could not be reached.
    Connect,
    /// Its agent did not answer.
    Ping,
    /// Its agent refuses a command.
    Command(Refusal),
}

impl Ready {
    /// The agent answers, within a minute.
    pub fn ping() -> Self {
        Self {
            commands: Vec::new(),
            within: Duration::from_secs(60),
        }
    }

    /// The agent carries out this command too, such as `guest-exec`. It is not run.
    pub fn command(mut self, name: impl Into<String>) -> Self {
        self.commands.push(name.into());
        self
    }

    /// How long to wait in all.
    pub fn within(mut self, within: Duration) -> Self {
        self.within = within;
        self
    }

    /// Connects to a guest that may not be there yet, and waits until it is ready.
    ///
    /// # Errors
    ///
    /// [`GuestError::NotReady`], and [`GuestError::Address`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes the connection.
    pub async fn connect<A>(&self, address: A) -> Result<Guest, GuestError>
    where
        A: TryInto<Address, Error: Into<AddressError>>,
    {
        let address = address
            .try_into()
            .map_err(|error| GuestError::Address(error.into()))?;
        self.until(|| self.reach(&address)).await
    }

    async fn reach(&self, address: &Address) -> Result<Guest, (Stage, Option<Error>)> {
        let client = Client::connect(address.clone()).await;
        let guest = Guest::new(client.map_err(unreachable_or_silent)?);
        self.check(&guest).await?;
        Ok(guest)
    }

    /// Tries until it succeeds, the time is up, or it cannot succeed any more.
    async fn until<T, F>(&self, attempt: impl Fn() -> F) -> Result<T, GuestError>
    where
        F: Future<Output = Result<T, (Stage, Option<Error>)>>,
    {
        let end = Instant::now() + self.within;
        let mut backoff = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);
        let mut last = (Stage::Ping, None);
        while let Ok(tried) = timeout_at(end, attempt()).await {
            match tried {
                Ok(ready) => return Ok(ready),
                Err(failed) => last = failed,
            }
            let for_good = matches!(
                last.0,
                Stage::Command(Refusal::Unknown { .. } | Refusal::Disabled { .. })
            );
            if for_good || timeout_at(end, backoff.pause()).await.is_err() {
                break;
            }
        }
        let (stage, source) = last;
        Err(GuestError::NotReady {
            stage,
            within: self.within,
            source,
        })
    }

    async fn check(&self, guest: &Guest) -> Result<(), (Stage, Option<Error>)> {
        let client = guest.client();
        client.execute(Ping).await.map_err(unreachable_or_silent)?;
        if self.commands.is_empty() {
            return Ok(());
        }
        let capabilities = Capabilities::ask(client)
            .await
            .map_err(unreachable_or_silent)?;
        let mut refusals = self
            .commands
            .iter()
            .filter_map(|command| capabilities.refusal(command));
        match refusals.next() {
            None => Ok(()),
            Some(refusal) => Err((Stage::Command(refusal), None)),
        }
    }
}

impl Guest {
    /// Waits until the guest is ready; the client connects again as it does for commands.
    ///
    /// # Errors
    ///
    /// [`GuestError::NotReady`].
    ///
    /// # Cancel safety
    ///
    /// Nothing is changed in the guest.
    pub async fn wait_ready(&self, ready: &Ready) -> Result<(), GuestError> {
        ready.until(|| ready.check(self)).await
    }
}

fn unreachable_or_silent(error: Error) -> (Stage, Option<Error>) {
    let stage = match error.stage() {
        qga_core::Stage::Connect => Stage::Connect,
        _ => Stage::Ping,
    };
    (stage, Some(error))
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect => f.write_str("its agent cannot be reached"),
            Self::Ping => f.write_str("its agent does not answer"),
            Self::Command(refusal) => refusal.fmt(f),
        }
    }
}
