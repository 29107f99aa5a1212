//! Moments that are to come.

use std::time::Duration;

use tokio::time::Instant;

/// Whoever waits longer waits for ever.
const FAR: Duration = Duration::from_secs(60 * 60 * 24 * 365 * 30);

/// The moment so long after another; far away where that overflows.
pub(crate) fn later(from: Instant, time: Duration) -> Instant {
    from.checked_add(time.min(FAR)).unwrap_or(from)
}
