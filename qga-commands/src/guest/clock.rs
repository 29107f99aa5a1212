//! Setting the guest's clock, and comparing it with the host's.
//!
//! ```no_run
//! # async fn example(guest: qga_commands::Guest) -> Result<(), qga_commands::GuestError> {
//! use std::time::Duration;
//!
//! let offset = guest.clock_offset().await?;
//! println!("the guest's clock is {offset}");
//! if offset.apart() > Duration::from_secs(1) {
//!     guest.sync_time().await?;
//! }
//! # Ok(())
//! # }
//! ```
//!
//! The clock of a guest is behind after the guest was paused, restored or migrated. A time service in the guest may set
//! it too.

use std::fmt;
use std::time::{Duration, SystemTime};

use qga_core::QgaCommand as _;
use tokio::time::Instant;

use super::{Guest, GuestError};
use crate::GuestTime;
use crate::commands::agent::Ping;
use crate::commands::time::{GetTime, SetTime};
use crate::optional;

/// How often the clock is asked; the quickest answer counts.
const SAMPLES: usize = 3;

/// How far the clock may be off after it was set, beyond what cannot be known.
const CLOSE: Duration = Duration::from_secs(1);

/// How often the clock is set, where the channel is so busy that the time is old on arrival.
const ATTEMPTS: usize = 3;

/// The difference between a guest's clock and the host's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockOffset {
    nanos: i64,
    uncertainty: Duration,
}

impl ClockOffset {
    /// How far the guest is ahead of the host, in nanoseconds; negative if it is behind.
    #[must_use]
    pub fn as_nanos(&self) -> i64 {
        self.nanos
    }

    /// The difference without its sign.
    #[must_use]
    pub fn apart(&self) -> Duration {
        Duration::from_nanos(self.nanos.unsigned_abs())
    }

    /// By how much the true difference may be larger or smaller: half of the time that the quickest answer took.
    #[must_use]
    pub fn uncertainty(&self) -> Duration {
        self.uncertainty
    }
}

impl fmt::Display for ClockOffset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = if self.nanos < 0 { "behind" } else { "ahead" };
        let (apart, uncertainty) = (self.apart(), self.uncertainty);
        write!(f, "{apart:?} {side}, give or take {uncertainty:?}")
    }
}

impl Guest {
    /// Compares the guest's clock with this host's. The guest is asked three times, and the quickest answer counts; the
    /// guest is assumed to have read its clock halfway between the question and the answer. Only the first question has
    /// to be answered.
    ///
    /// Since QEMU 1.5.
    ///
    /// # Errors
    ///
    /// As [`execute`](Self::execute); [`GuestError::InvalidInput`] if this host's own clock is before
    /// 1677 or after 2262.
    ///
    /// # Cancel safety
    ///
    /// As [`execute`](Self::execute); nothing is changed in the guest.
    pub async fn clock_offset(&self) -> Result<ClockOffset, GuestError> {
        let mut best = self.sample().await?;
        // One that takes much longer than the first is not the quickest.
        let brief = Self::new(optional::in_short(&self.client));
        for _ in 1..SAMPLES {
            let Ok(sample) = brief.sample().await else {
                break;
            };
            if sample.uncertainty < best.uncertainty {
                best = sample;
            }
        }
        Ok(best)
    }

    /// Sets the guest's clock to this host's time, and returns the difference that remains.
    ///
    /// The time arrives late if other commands use the channel meanwhile. So the clock is set again if it is more than a
    /// second off afterwards, three times at most.
    ///
    /// Since QEMU 1.5.
    ///
    /// # Errors
    ///
    /// [`GuestError::Partial`] if the clock was set but could not be compared afterwards. Otherwise as
    /// [`clock_offset`](Self::clock_offset). If a reply was lost, the clock may have been set; call `sync_time` again.
    ///
    /// # Cancel safety
    ///
    /// The clock may have been set.
    pub async fn sync_time(&self) -> Result<ClockOffset, GuestError> {
        let mut offset = self.set_and_look().await?;
        for _ in 1..ATTEMPTS {
            if offset.apart() <= CLOSE + offset.uncertainty {
                break;
            }
            offset = self.set_and_look().await.map_err(was_set)?;
        }
        Ok(offset)
    }

    /// Sets the guest's clock. To set it to this host's, use [`sync_time`](Self::sync_time).
    ///
    /// Since QEMU 1.5.
    ///
    /// # Errors
    ///
    /// [`GuestError::InvalidInput`] before 1677 and after 2262. Otherwise as
    /// [`execute`](Self::execute). After a lost reply do not send the same time again: it has passed.
    ///
    /// # Cancel safety
    ///
    /// The clock may have been set.
    pub async fn set_time(&self, time: SystemTime) -> Result<(), GuestError> {
        let time = on_wire(time)?;
        self.execute(SetTime::new().time(time)).await.map(drop)
    }

    /// Sets the guest's clock to its hardware clock, which QEMU keeps going while the guest is paused
    /// or saved.
    ///
    /// Since QEMU 1.5.
    ///
    /// # Errors
    ///
    /// As [`execute`](Self::execute).
    ///
    /// # Cancel safety
    ///
    /// The clock may be set or not. Setting it again does no harm.
    pub async fn set_time_from_hardware(&self) -> Result<(), GuestError> {
        self.execute(SetTime::new()).await.map(drop)
    }

    async fn set_and_look(&self) -> Result<ClockOffset, GuestError> {
        self.before(SetTime::NAME).await?;
        // It finds out how long a request takes, and what is wrong with the channel is mended
        // before the clock is read. An agent may leave it unanswered.
        let start = Instant::now();
        let way = match optional::ask(&self.client, Ping).await? {
            Some(_) => start.elapsed() / 2,
            None => Duration::ZERO,
        };
        self.set_time(SystemTime::now() + way).await?;
        self.clock_offset().await.map_err(was_set)
    }

    async fn sample(&self) -> Result<ClockOffset, GuestError> {
        let (before, start) = (on_wire(SystemTime::now())?, Instant::now());
        let guest = self.execute(GetTime).await?;
        let uncertainty = start.elapsed() / 2;
        let half = i64::try_from(uncertainty.as_nanos()).unwrap_or(i64::MAX);
        let middle = before.as_nanos().saturating_add(half);
        Ok(ClockOffset {
            nanos: guest.as_nanos().saturating_sub(middle),
            uncertainty,
        })
    }
}

/// Of two steps, to set the clock and to look at it, one was done.
fn was_set(error: GuestError) -> GuestError {
    match error {
        GuestError::Partial { .. } => error,
        _ => GuestError::Partial {
            done: 1,
            of: 2,
            source: Box::new(error),
        },
    }
}

fn on_wire(time: SystemTime) -> Result<GuestTime, GuestError> {
    let text = "a time is before 1677 or after 2262, which a guest's clock does not reach";
    GuestTime::try_from(time).map_err(|_| GuestError::InvalidInput(text.into()))
}
