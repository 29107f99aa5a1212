//! How slow what moves many bytes may be.

use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::GuestError;
use crate::backoff;

/// In this time so much has to be moved.
const WITHIN: Duration = Duration::from_secs(600);
/// In bytes. The slowest channel there is, an emulated serial port, writes five times as many.
const LEAST: u64 = 8 << 20;
/// A file counts for so many bytes more, since it takes messages of its own.
const FILE: u64 = 64 << 10;

/// Ends what goes on and gets nowhere: a guest that sends a byte now and then keeps each single
/// command within its time.
#[derive(Debug)]
pub(super) struct Pace {
    end: Instant,
    moved: u64,
}

impl Pace {
    pub(super) fn new() -> Self {
        Self {
            end: backoff::after(WITHIN),
            moved: 0,
        }
    }

    /// So many bytes have come or gone.
    pub(super) fn moved(&mut self, bytes: u64) {
        self.moved = self.moved.saturating_add(bytes);
        if self.moved >= LEAST {
            *self = Self::new();
        }
    }

    /// A file is done.
    pub(super) fn file_done(&mut self) {
        self.moved(FILE);
    }

    /// When it is too slow, unless more is moved until then.
    pub(super) fn end(&self) -> Instant {
        self.end
    }
}

/// Does a piece of the work, if there is time for it.
pub(super) async fn until<T>(
    end: Instant,
    work: impl Future<Output = Result<T, GuestError>>,
) -> Result<T, GuestError> {
    let too_slow = |_| {
        Err(GuestError::TooSlow {
            least: LEAST,
            within: WITHIN,
        })
    };
    timeout_at(end, work).await.unwrap_or_else(too_slow)
}
