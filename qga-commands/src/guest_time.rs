//! The guest's clock in nanoseconds.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// A moment on the guest's clock, in nanoseconds since the beginning of 1970 in UTC; negative before that.
///
/// ```
/// use qga_commands::GuestTime;
/// use std::time::{Duration, UNIX_EPOCH};
///
/// let time = GuestTime::from_nanos(1_500_000_000);
/// let moment = UNIX_EPOCH + Duration::from_millis(1500);
/// assert_eq!(time.to_system_time(), Some(moment));
/// assert_eq!(GuestTime::try_from(moment), Ok(time));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct GuestTime(i64);

/// A time is before 1677 or after 2262, so it does not fit into 64 bits of nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TimeError;

impl GuestTime {
    /// The moment that is this many nanoseconds after the beginning of 1970 in UTC.
    #[must_use]
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// The number of nanoseconds since the beginning of 1970 in UTC.
    #[must_use]
    pub const fn as_nanos(self) -> i64 {
        self.0
    }

    /// The same moment as a [`SystemTime`]. `None` if this system cannot represent it, as some cannot before 1970.
    #[must_use]
    pub fn to_system_time(self) -> Option<SystemTime> {
        let distance = Duration::from_nanos(self.0.unsigned_abs());
        if self.0 < 0 {
            UNIX_EPOCH.checked_sub(distance)
        } else {
            UNIX_EPOCH.checked_add(distance)
        }
    }
}

impl TryFrom<SystemTime> for GuestTime {
    type Error = TimeError;

    fn try_from(time: SystemTime) -> Result<Self, TimeError> {
        let nanos = match time.duration_since(UNIX_EPOCH) {
            Ok(after) => i64::try_from(after.as_nanos()),
            Err(error) => i128::try_from(error.duration().as_nanos())
                .and_then(|before| i64::try_from(-before)),
        };
        nanos.map(Self).map_err(|_| TimeError)
    }
}

impl fmt::Display for TimeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the time is before 1677 or after 2262, which a guest's clock does not reach")
    }
}

impl std::error::Error for TimeError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_and_the_last_moment_come_back_as_they_went() {
        for nanos in [i64::MIN, -1_000_000_001, -1, 0, 1, i64::MAX] {
            let time = GuestTime::from_nanos(nanos);
            // Windows counts in steps of 100 nanoseconds.
            if cfg!(unix) {
                assert_eq!(
                    GuestTime::try_from(time.to_system_time().unwrap()),
                    Ok(time)
                );
            }
        }
    }

    #[test]
    fn a_time_out_of_reach_is_an_error() {
        let century = Duration::from_secs(100 * 365 * 86_400);
        assert_eq!(
            GuestTime::try_from(UNIX_EPOCH + 3 * century),
            Err(TimeError)
        );
        if let Some(early) = UNIX_EPOCH.checked_sub(3 * century) {
            assert_eq!(GuestTime::try_from(early), Err(TimeError));
        }
    }

    #[test]
    fn a_moment_is_a_plain_number_in_json() {
        let json = serde_json::to_string(&GuestTime::from_nanos(1_800_000_000_123_456_789));
        assert_eq!(json.unwrap(), "1800000000123456789");
        assert!(serde_json::from_str::<GuestTime>("1.5").is_err());
    }
}
