//! Waiting until a guest is ready.
//!
//! ```no_run
//! # async fn example() -> Result<(), qga_commands::GuestError> {
//! use qga_commands::guest::ready::Ready;
//! use std::time::Duration;
//!
//! let ready = Ready::ping()
//!     .command("guest-exec")
//!     .then(|guest| async move {
//!         let output = guest.command("systemctl").args(["is-active", "nginx"]).output().await?;
//!         if !output.status.success() {
//!             return Err("nginx is not active".into());
//!         }
//!         Ok(())
//!     })
//!     .deadline(Duration::from_secs(120));
//! let guest = ready.connect("unix:/run/vm1/qga.sock").await?;
//! # Ok(())
//! # }
//! ```

mod stage;

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use qga_core::{Address, AddressError, Client};
use tokio::time::{Instant, timeout_at};

use super::backoff::{Backoff, after};
use super::machine::Machine;
use super::{Guest, GuestError};
use crate::capabilities::Capabilities;

pub use stage::Stage;
use stage::{Attempt, Short};

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Why a check of your own does not succeed: any error, or a text.
pub type CheckError = Box<dyn std::error::Error + Send + Sync>;

type Checking = Pin<Box<dyn Future<Output = Result<(), CheckError>> + Send>>;

/// What a guest must do to be ready, and how long to wait for it.
///
/// It is tried in the order agent, commands, checks, from the beginning each time, with pauses of up to
/// 2 seconds.
#[derive(Clone)]
#[must_use = "nothing is waited for until `connect` or `Guest::wait_ready` is called"]
pub struct Ready {
    commands: Vec<String>,
    checks: Vec<Arc<dyn Fn(Guest) -> Checking + Send + Sync>>,
    deadline: Duration,
}

impl Ready {
    /// The agent answers, within a minute.
    pub fn ping() -> Self {
        Self {
            commands: Vec::new(),
            checks: Vec::new(),
            deadline: Duration::from_secs(60),
        }
    }

    /// The agent carries out this command too, such as `guest-exec`. It is not run.
    pub fn command(mut self, name: impl Into<String>) -> Self {
        self.commands.push(name.into());
        self
    }

    /// A check of your own succeeds too, after those that were given before. It is made again and
    /// again while it returns an error, and dropped when the time is up.
    pub fn then<F, C>(mut self, check: F) -> Self
    where
        F: Fn(Guest) -> C + Send + Sync + 'static,
        C: Future<Output = Result<(), CheckError>> + Send + 'static,
    {
        let check = move |guest| Box::pin(check(guest)) as Checking;
        self.checks.push(Arc::new(check));
        self
    }

    /// How long to wait in all, a minute unless set.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Connects to a guest that may not be there yet, and waits until it is ready.
    ///
    /// # Errors
    ///
    /// [`GuestError::NotReady`] when the time is up, and at once when the guest cannot become ready; and
    /// [`GuestError::Address`].
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
        let client = Client::builder().connect_lazy(address)?;
        let guest = Guest::new(client);
        guest.wait_ready(self).await?;
        Ok(guest)
    }

    /// Tries until it succeeds, the time is up, or it cannot succeed any more.
    async fn until<T, F>(
        &self,
        end: Instant,
        client: &Client,
        attempt: impl Fn() -> F,
    ) -> Result<T, GuestError>
    where
        F: Future<Output = Attempt<T>>,
    {
        let mut backoff = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);
        let mut last = Short::default();
        let mut machine = Machine::of(client);
        loop {
            match attempt().await {
                Ok(ready) => return Ok(ready),
                Err(short) => last.replace_by(short),
            }
            if last.is_for_good()
                || timeout_at(end, machine.rest(backoff.pause()))
                    .await
                    .is_err()
            {
                return Err(last.into_error(self.deadline, client.address().cloned()));
            }
        }
    }

    async fn check(&self, guest: &Guest, end: Instant) -> Attempt<()> {
        in_time(end, Stage::Ping, ping(guest, end)).await?;
        in_time(end, Stage::Ping, self.check_commands(guest, end)).await?;
        for (number, check) in (1..).zip(&self.checks) {
            let stage = Stage::Check(number);
            let checking = check(guest.clone());
            let checking = async { checking.await.map_err(|error| Short::new(stage, error)) };
            in_time(end, Stage::Check(number), checking).await?;
        }
        Ok(())
    }

    async fn check_commands(&self, guest: &Guest, end: Instant) -> Attempt<()> {
        if self.commands.is_empty() {
            return Ok(());
        }
        let (guest, is_short) = until(guest, end);
        let capabilities = Capabilities::ask(guest.client()).await;
        let capabilities = capabilities.map_err(|error| Short::unanswered(error, is_short))?;
        let mut commands = self.commands.iter();
        match commands.find_map(|command| capabilities.refusal(command)) {
            None => Ok(()),
            Some(refusal) => Err(Short::at(Stage::Command(refusal))),
        }
    }
}

async fn ping(guest: &Guest, end: Instant) -> Attempt<()> {
    let (guest, is_short) = until(guest, end);
    let answered = async {
        guest.client().sync().await?;
        guest.ping().await
    };
    let answered = answered.await;
    answered.map_err(|error| Short::unanswered(error, is_short))
}

/// The guest for questions that may wait for a channel that was lost, until then and no longer. Whether
/// that is shorter than the client's own timeout.
fn until(guest: &Guest, end: Instant) -> (Guest, bool) {
    let left = end.saturating_duration_since(Instant::now());
    let options = guest.client().options();
    let timeout = options.command_timeout();
    let options = options.timeout(timeout.min(left)).wait_for_channel(true);
    let guest = Guest::new(guest.client().with_options(options));
    (guest, left < timeout)
}

/// What is cut off by the end of the time has not come further than this stage.
async fn in_time<T>(
    end: Instant,
    stage: Stage,
    work: impl Future<Output = Attempt<T>>,
) -> Attempt<T> {
    match timeout_at(end, work).await {
        Ok(done) => done,
        Err(_) => Err(Short::cut_off(stage)),
    }
}

impl Guest {
    /// Waits until the guest is ready; the client opens a channel that was lost again and again, also where
    /// it makes other commands fail at once meanwhile.
    ///
    /// # Errors
    ///
    /// [`GuestError::NotReady`] when the time is up, and at once when the guest cannot become ready: the
    /// channel is a stream that has ended, a command is unknown or forbidden, or the client was made to refuse
    /// what has to be asked.
    ///
    /// # Cancel safety
    ///
    /// Nothing is changed in the guest, but by a check of your own.
    pub async fn wait_ready(&self, ready: &Ready) -> Result<(), GuestError> {
        let end = after(ready.deadline);
        let end = self.client.deadline().map_or(end, |limit| limit.min(end));
        ready
            .until(end, &self.client, || ready.check(self, end))
            .await
    }
}

impl fmt::Debug for Ready {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ready")
            .field("commands", &self.commands)
            .field("checks", &self.checks.len())
            .field("deadline", &self.deadline)
            .finish()
    }
}
