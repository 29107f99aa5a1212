//! The requests that have arrived, and waiting for them.

use std::panic::Location;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

use super::request::{Log, Request};
use crate::lock::lock;

/// A test that has waited for this long prints what it waits for.
const PATIENCE: Duration = Duration::from_secs(10);
/// A test that has waited for this long after that fails.
const MOST_PATIENCE: Duration = Duration::from_secs(60 * 60 - 10);

/// The requests that have arrived.
#[derive(Debug, Default)]
pub(crate) struct Arrivals {
    log: Mutex<Log>,
    arrived: watch::Sender<()>,
}

impl Arrivals {
    /// Remembers a request.
    pub(crate) fn record(&self, request: Arc<Request>, cost: usize) {
        lock(&self.log).add(request, cost);
        self.arrived.send_replace(());
    }

    pub(crate) fn forget(&self) {
        *lock(&self.log) = Log::default();
    }

    /// Lists the latest requests for a person, one on each line.
    pub(crate) fn summary(&self) -> String {
        lock(&self.log).summary()
    }

    /// Returns the requests that `pass` accepts, the oldest first.
    pub(crate) fn requests(&self, pass: impl Fn(&Request) -> bool) -> Vec<Request> {
        lock(&self.log)
            .iter()
            .filter(|request| pass(request))
            .map(Request::clone)
            .collect()
    }

    /// Returns the requests for one command, the oldest first.
    pub(crate) fn requests_of(&self, command: &str) -> Vec<Request> {
        self.requests(|request| request.name == command)
    }

    /// Waits for a test until there are this many requests for a command, and tells a person if that takes long.
    pub(crate) async fn wait_for(
        &self,
        place: &Location<'_>,
        command: &str,
        count: usize,
        tell: impl Fn(&str),
    ) -> Vec<Request> {
        if let Ok(requests) = timeout(PATIENCE, self.are_there(command, count)).await {
            return requests;
        }
        tell(&self.missing(place, command, count));
        let arrived = timeout(MOST_PATIENCE, self.are_there(command, count)).await;
        #[allow(clippy::panic, reason = "a test that waits for ever tells nobody why")]
        arrived.unwrap_or_else(|_| panic!("{}", self.missing(place, command, count)))
    }

    async fn are_there(&self, command: &str, count: usize) -> Vec<Request> {
        let mut arrived = self.arrived.subscribe();
        loop {
            let requests = self.requests_of(command);
            // The sender is ours, so waiting for a change cannot fail.
            if requests.len() >= count || arrived.changed().await.is_err() {
                return requests;
            }
        }
    }

    /// Says which requests a test still waits for.
    fn missing(&self, place: &Location<'_>, command: &str, count: usize) -> String {
        let so_far = self.requests_of(command).len();
        let arrived = self.summary();
        format!("{place}: waiting for {count} requests for {command}, {so_far} so far; {arrived}")
    }
}
