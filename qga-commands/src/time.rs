//! The guest's clock.

use qga_core::QgaCommand;
use serde::{Deserialize, Serialize};

/// Asks for the guest's time, in nanoseconds since 1970-01-01 00:00 UTC. Since QEMU 1.5.
#[derive(Clone, Copy, Debug, QgaCommand)]
#[qga(name = "guest-get-time", response = i64, retry = Safe)]
pub struct GetTime;

/// Asks for the guest's time zone. Since QEMU 2.10.
#[derive(Clone, Copy, Debug, QgaCommand)]
#[qga(name = "guest-get-timezone", response = GuestTimezone, retry = Safe)]
pub struct GetTimezone;

/// The guest's time zone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct GuestTimezone {
    /// Its name, such as `CET`; systems differ in what they call it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// Seconds east of UTC.
    pub offset: i64,
}
