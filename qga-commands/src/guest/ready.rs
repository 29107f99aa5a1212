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
//!     .timeout(Duration::from_secs(120));
//! let guest = ready.connect("unix:/run/vm1/qga.sock").await?;
//! # Ok(())
//! # }
//! ```

mod not_ready;

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use qga_core::{Address, AddressError, ErrorKind};
use tokio::time::{Instant, timeout_at};

use super::machine::Machine;
use super::{Guest, GuestBuilder, GuestError};
use crate::backoff::{Backoff, after};
use crate::capabilities::Capabilities;

pub use super::error::{CheckError, ReadyStage};
use not_ready::{Attempt, NotReady};

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

type Checking = Pin<Box<dyn Future<Output = Result<(), CheckError>> + Send>>;

/// The conditions under which a guest is ready, and how long to wait for them.
///
/// The agent is asked first, then the commands are looked up, and then the checks are made. If one of them fails, all
/// of this is tried again from the beginning, after a pause of at most 2 seconds.
#[derive(Clone)]
#[must_use = "nothing is waited for until `connect` or `Guest::wait_ready` is called"]
pub struct Ready {
    commands: Vec<String>,
    checks: Vec<Arc<dyn Fn(Guest) -> Checking + Send + Sync>>,
    timeout: Duration,
}

impl Ready {
    /// The guest is ready when its agent answers. This is waited for up to a minute, unless another
    /// [timeout](Self::timeout) is set.
    pub fn ping() -> Self {
        Self {
            commands: Vec::new(),
            checks: Vec::new(),
            timeout: Duration::from_secs(60),
        }
    }

    /// The agent must also know and allow this command, such as `guest-exec`. The command is not run.
    pub fn command(mut self, name: impl Into<String>) -> Self {
        self.commands.push(name.into());
        self
    }

    /// A check of your own must also succeed. Checks are made in the order in which they were added. A check that returns
    /// an error is made again; one that is under way when the time is up is dropped.
    pub fn then<F, C>(mut self, check: F) -> Self
    where
        F: Fn(Guest) -> C + Send + Sync + 'static,
        C: Future<Output = Result<(), CheckError>> + Send + 'static,
    {
        let check = move |guest| Box::pin(check(guest)) as Checking;
        self.checks.push(Arc::new(check));
        self
    }

    /// How long to wait in all; a minute unless set.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How long is waited in all.
    #[must_use]
    pub fn time(&self) -> Duration {
        self.timeout
    }

    /// Connects to a guest that may not be there yet, and waits until it is ready.
    /// [`GuestBuilder::connect_ready`] does so with settings of your own.
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
        Guest::builder().connect_ready(address, self).await
    }

    /// Tries until it succeeds, the time is up, or it cannot succeed any more.
    async fn until<T, F>(
        &self,
        end: Instant,
        timeout: Duration,
        address: Option<&Address>,
        mut machine: Machine,
        attempt: impl Fn() -> F,
    ) -> Result<T, GuestError>
    where
        F: Future<Output = Attempt<T>>,
    {
        let mut backoff = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);
        let mut last = NotReady::default();
        loop {
            match attempt().await {
                Ok(ready) => return Ok(ready),
                Err(short) => last.replace_by(short),
            }
            last.heed(&mut machine);
            let pause = machine.rest(backoff.pause());
            if last.is_for_good() || timeout_at(end, pause).await.is_err() {
                return Err(last.into_error(timeout, address.cloned()));
            }
        }
    }

    async fn check(&self, guest: &Guest, end: Instant) -> Attempt<()> {
        in_time(end, ReadyStage::Ping, ping(guest, end)).await?;
        in_time(end, ReadyStage::Ping, self.check_commands(guest, end)).await?;
        for (number, check) in (1..).zip(&self.checks) {
            let stage = ReadyStage::Check(number);
            let checking = check(guest.clone());
            let checking = async { checking.await.map_err(|error| NotReady::new(stage, error)) };
            in_time(end, ReadyStage::Check(number), checking).await?;
        }
        Ok(())
    }

    async fn check_commands(&self, guest: &Guest, end: Instant) -> Attempt<()> {
        if self.commands.is_empty() {
            return Ok(());
        }
        let (guest, is_short) = until(guest, end);
        let capabilities = Capabilities::ask(guest.client()).await;
        let capabilities = capabilities.map_err(|error| NotReady::unanswered(error, is_short))?;
        let mut commands = self.commands.iter();
        match commands.find_map(|command| capabilities.refusal(command)) {
            None => Ok(()),
            Some(refusal) => Err(NotReady::at(ReadyStage::Command(refusal))),
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
    answered.map_err(|error| NotReady::unanswered(error, is_short))
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
    stage: ReadyStage,
    work: impl Future<Output = Attempt<T>>,
) -> Attempt<T> {
    match timeout_at(end, work).await {
        Ok(done) => done,
        Err(_) => Err(NotReady::cut_off(stage)),
    }
}

impl Guest {
    /// Waits until the guest is ready. A channel that was lost is opened again, as often as needed, also during the
    /// [pauses](GuestBuilder::pauses) in which the client lets other commands fail at once.
    ///
    /// # Errors
    ///
    /// [`GuestError::NotReady`] when the time is up, and at once when the guest cannot become ready. That is so if the
    /// machine stops meanwhile, as its host [tells](qga_core::ClientBuilder::machine), or stands still for longer than
    /// [is waited for](qga_core::Options::machine_timeout), if the channel has ended and cannot be opened again, if the agent does not know or allow one of the commands, or if the
    /// client's policy forbids a command that is needed to ask.
    ///
    /// # Cancel safety
    ///
    /// Nothing is changed in the guest, except by checks of your own.
    pub async fn wait_ready(&self, ready: &Ready) -> Result<(), GuestError> {
        let left = self.client.deadline().map(left_until);
        let timeout = left.map_or(ready.timeout, |left| left.min(ready.timeout));
        let end = after(ready.timeout);
        self.wait_ready_until(ready, end, timeout).await
    }

    /// Waits until then, which is so long after the beginning.
    async fn wait_ready_until(
        &self,
        ready: &Ready,
        end: Instant,
        timeout: Duration,
    ) -> Result<(), GuestError> {
        let end = self.client.deadline().map_or(end, |limit| limit.min(end));
        let (address, machine) = (self.client.address(), Machine::of(&self.client));
        let check = || ready.check(self, end);
        ready.until(end, timeout, address, machine, check).await
    }
}

/// In whole milliseconds, rounded up, as it is told to somebody.
fn left_until(end: Instant) -> Duration {
    let left = end.saturating_duration_since(Instant::now()).as_micros();
    Duration::from_millis(u64::try_from(left.div_ceil(1000)).unwrap_or(u64::MAX))
}

impl GuestBuilder {
    /// Connects to a guest that may not be there yet, and waits until it is ready. The settings of this builder
    /// hold while it waits, and for the guest afterwards.
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), qga_commands::GuestError> {
    /// use qga_commands::guest::ready::Ready;
    /// use qga_commands::{Guest, policy};
    ///
    /// let guest = Guest::builder()
    ///     .allow(policy::read_only())
    ///     .lock(true)
    ///     .connect_ready("unix:/run/vm1/qga.sock", &Ready::ping())
    ///     .await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`GuestError::NotReady`] when the time is up, and at once when the guest cannot become ready;
    /// [`GuestError::Address`]; and at once when the [lock](Self::lock) cannot be taken although the socket is there.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes the connection and gives the lock back.
    pub async fn connect_ready<A>(self, address: A, ready: &Ready) -> Result<Guest, GuestError>
    where
        A: TryInto<Address, Error: Into<AddressError>>,
    {
        let address = address
            .try_into()
            .map_err(|error| GuestError::Address(error.into()))?;
        let timeout = ready.timeout.min(self.within.unwrap_or(Duration::MAX));
        let deadline = self.within.map(after);
        let end = after(ready.timeout);
        let end = deadline.map_or(end, |deadline| deadline.min(end));
        // A lock lies beside the socket, which may not be there yet.
        let made = ready.until(end, timeout, Some(&address), Machine::default(), || async {
            match self.clone().connect_lazy(address.clone()) {
                Err(GuestError::Command(error)) if matches!(error.kind(), ErrorKind::Open(_)) => {
                    Err(NotReady::unanswered(error, false))
                }
                made => Ok(made),
            }
        });
        let mut guest = made.await??;
        if let Some(deadline) = deadline {
            guest = guest.within(deadline.saturating_duration_since(Instant::now()));
        }
        guest.wait_ready_until(ready, end, timeout).await?;
        Ok(guest)
    }
}

impl fmt::Debug for Ready {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ready")
            .field("commands", &self.commands)
            .field("checks", &self.checks.len())
            .field("timeout", &self.timeout)
            .finish()
    }
}
