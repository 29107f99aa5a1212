//! How long to wait before asking again.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use qga_core::Client;
use tokio::time::Instant;

/// The moment so long from now; far away where that overflows.
pub(crate) fn after(time: Duration) -> Instant {
    const FAR: Duration = Duration::from_secs(60 * 60 * 24 * 365 * 30);
    let now = Instant::now();
    now.checked_add(time.min(FAR)).unwrap_or(now)
}

/// Pauses that grow from one to the next, up to a longest one. They double unless something else is said.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Backoff {
    next: Duration,
    longest: Duration,
    /// By which part of itself a pause grows.
    growth: Growth,
    end: Option<Instant>,
}

#[derive(Clone, Copy, Debug)]
enum Growth {
    Whole,
    Quarter,
}

impl Backoff {
    pub(crate) fn new(first: Duration, longest: Duration) -> Self {
        Self {
            next: first,
            longest,
            growth: Growth::Whole,
            end: None,
        }
    }

    /// Lets each pause be a quarter longer than the one before, and so about a quarter of all the time before it: what is
    /// waited for is noticed late by no more than that.
    pub(crate) fn by_quarters(mut self) -> Self {
        self.growth = Growth::Quarter;
        self
    }

    /// Does not wait beyond the moment by which all commands of this handle have to end.
    pub(crate) fn within_deadline_of(mut self, client: &Client) -> Self {
        self.end = client.deadline();
        self
    }

    /// Waits, longer each time.
    ///
    /// Up to a quarter of the pause is left out at random, so that the clients of one host do not
    /// move in step.
    pub(crate) async fn pause(&mut self) {
        self.pause_at_least(None).await;
    }

    /// Waits as [`pause`](Self::pause) does, and through a pause of the client, in which it would not try.
    pub(crate) async fn pause_at_least(&mut self, of_client: Option<Duration>) {
        let pause = self.next;
        let more = match self.growth {
            Growth::Whole => pause,
            Growth::Quarter => pause / 4,
        };
        self.next = (pause + more).min(self.longest);
        let pause = pause * 3 / 4 + pause / 4 * random_share() / SHARES;
        let end = Instant::now() + pause.max(of_client.unwrap_or_default());
        tokio::time::sleep_until(self.end.map_or(end, |limit| limit.min(end))).await;
    }
}

const SHARES: u32 = 1024;

fn random_share() -> u32 {
    u32::try_from(RandomState::new().hash_one(()) % u64::from(SHARES)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn pauses_double_to_the_longest_with_at_most_a_quarter_left_out() {
        let mut backoff = Backoff::new(Duration::from_millis(10), Duration::from_secs(1));
        for whole in [10, 20, 40, 80, 160, 320, 640, 1000, 1000] {
            let start = Instant::now();
            backoff.pause().await;
            let took = start.elapsed().as_millis();
            // The clock of tokio counts whole milliseconds.
            assert!(took * 4 >= whole * 3 && took <= whole + 1, "{took} {whole}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn pauses_that_grow_by_quarters_are_at_most_a_quarter_of_the_time_before_and_the_first() {
        let (first, longest) = (Duration::from_millis(10), Duration::from_secs(1));
        let mut backoff = Backoff::new(first, longest).by_quarters();
        let start = Instant::now();
        for _ in 0..40 {
            let before = start.elapsed();
            backoff.pause().await;
            let pause = start.elapsed().saturating_sub(before);
            // A quarter of the pauses before may have been left out.
            let most = first + before / 3 + Duration::from_millis(1);
            assert!(pause <= most && pause <= longest + Duration::from_millis(1));
        }
        assert!(start.elapsed() > Duration::from_secs(10));
    }
}
