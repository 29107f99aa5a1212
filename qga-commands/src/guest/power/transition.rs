//! A power command and what it waits for.

use std::pin::Pin;
use std::time::Duration;

use qga_core::{NoReply, QgaCommand as _};

use super::Outcome;
use super::sentinel_file::SentinelFile;
use super::watch::{Aim, Watch};
use crate::backoff::after;
use crate::commands::power::{Shutdown, SuspendDisk, SuspendHybrid, SuspendRam};
use crate::guest::machine::Machine;
use crate::guest::{Guest, GuestError};

/// How long a channel is waited for that the client pauses for.
const CHANNEL_TIMEOUT: Duration = Duration::from_secs(5);

/// How long the outcome is waited for unless another time is given.
const OUTCOME_TIMEOUT: Duration = Duration::from_secs(120);

/// A shutdown, reboot or suspend of a guest that is to be done: await it.
///
/// # Errors
///
/// - The agent is not there. Then the command was not sent.
/// - The agent answers that the command has failed.
/// - The channel breaks, as by a reset, in such a way that the agent may not have read the command.
///
/// Whatever the guest does otherwise is no error but an [`Outcome`].
///
/// # Cancel safety
///
/// The command was sent once or not at all, so the guest may be shutting down.
#[derive(Clone, Debug)]
#[must_use = "nothing is sent until it is awaited"]
pub struct Transition {
    guest: Guest,
    way: Way,
    timeout: Option<Duration>,
}

/// How a guest goes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Way {
    Powerdown,
    Halt,
    Reboot,
    SuspendRam,
    SuspendDisk,
    SuspendHybrid,
}

impl Transition {
    pub(super) fn new(guest: &Guest, way: Way) -> Self {
        Self {
            guest: guest.clone(),
            way,
            timeout: None,
        }
    }

    /// How long to wait for the outcome, counted from when the command was sent and not refused; 2 minutes
    /// unless set. It is no error when the time is up: the outcome is then what was seen last.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Sends the command without waiting for its outcome. It only waits whether the agent answers with an error, during
    /// the client's [grace](qga_core::Options::grace).
    ///
    /// # Errors
    ///
    /// As when it is awaited, and [`GuestError::InvalidInput`] if a [timeout](Self::timeout) is set, which would
    /// have no effect.
    ///
    /// # Cancel safety
    ///
    /// As when it is awaited.
    pub async fn send(self) -> Result<NoReply, GuestError> {
        if self.timeout.is_some() {
            let text = "a timeout is for the outcome, which `send` does not wait for: leave it out, or await the \
                        transition";
            return Err(GuestError::InvalidInput(text.into()));
        }
        self.ping().await?;
        self.way.send(&self.guest).await
    }

    async fn run(self) -> Result<Outcome, GuestError> {
        self.ping().await?;
        let sentinel = SentinelFile::open(&self.guest).await;
        let machine = Machine::of(self.guest.client());
        let heard = self.way.send(&self.guest).await?;
        let end = after(self.timeout.unwrap_or(OUTCOME_TIMEOUT));
        let watch = Watch::new(&self.guest, sentinel, machine, end, self.way.aim());
        Ok(watch.outcome(heard).await)
    }

    /// An agent that is not there would be taken for one that obeys in silence.
    async fn ping(&self) -> Result<(), GuestError> {
        self.guest.before(self.way.command()).await?;
        match self.guest.ping().await {
            // Others have found the channel lost; it may be back.
            Err(error) if error.retry_after().is_some() => self.look_again().await,
            pinged => Ok(pinged?),
        }
    }

    async fn look_again(&self) -> Result<(), GuestError> {
        let client = self.guest.client();
        let options = client.options();
        let time = CHANNEL_TIMEOUT.min(options.command_timeout());
        let options = options.timeout(time).wait_for_channel(true);
        let guest = Guest::new(client.with_options(options));
        Ok(guest.ping().await?)
    }
}

impl IntoFuture for Transition {
    type Output = Result<Outcome, GuestError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

impl Way {
    fn aim(self) -> Aim {
        match self {
            Self::Powerdown | Self::SuspendDisk => Aim::Off,
            Self::Reboot => Aim::Back,
            Self::Halt | Self::SuspendRam | Self::SuspendHybrid => Aim::Silence,
        }
    }

    fn command(self) -> &'static str {
        match self {
            Self::Powerdown | Self::Halt | Self::Reboot => Shutdown::NAME,
            Self::SuspendRam => SuspendRam::NAME,
            Self::SuspendDisk => SuspendDisk::NAME,
            Self::SuspendHybrid => SuspendHybrid::NAME,
        }
    }

    async fn send(self, guest: &Guest) -> Result<NoReply, GuestError> {
        let shutdown = |mode| guest.execute(Shutdown::new().mode(mode));
        match self {
            Self::Powerdown => shutdown("powerdown").await,
            Self::Halt => shutdown("halt").await,
            Self::Reboot => shutdown("reboot").await,
            Self::SuspendRam => guest.execute(SuspendRam).await,
            Self::SuspendDisk => guest.execute(SuspendDisk).await,
            Self::SuspendHybrid => guest.execute(SuspendHybrid).await,
        }
    }
}
