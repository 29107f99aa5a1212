//! What a client is made with.

use std::time::{Duration, Instant};

use super::buffers;
use super::options::{Options, later};
use super::policy::Lists;
use super::recovery::{Pauses, Recovery};
use crate::protocol::Budget;
use crate::transport::{Inspector, Programs};

#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) options: Options,
    pub(crate) connect_timeout: Duration,
    pub(crate) lists: Lists,
    pub(crate) lock: bool,
    pub(crate) within: Option<Duration>,
    pub(crate) pauses: Pauses,
    pub(crate) programs: Programs,
    pub(crate) inspector: Inspector,
}

impl Settings {
    pub(crate) fn new() -> Self {
        Self {
            options: Options::new(),
            connect_timeout: Duration::from_secs(5),
            lists: Lists::default(),
            lock: false,
            within: None,
            pauses: Pauses::default(),
            programs: Programs::default(),
            inspector: Inspector::default(),
        }
    }

    /// The time for everything counts from now.
    pub(crate) fn start_clock(&mut self, now: Instant) {
        if let Some(time) = self.within {
            self.options = self.options.deadline_at_most(later(now, time));
        }
    }

    /// For a channel that is already open, and has no socket beside which a lock could be.
    pub(crate) fn without_socket(&mut self) {
        if self.lock {
            self.lists
                .refuse_all("it was to hold a lock, which needs the path of a Unix socket");
        }
    }

    /// What there is for connecting, from now on.
    pub(crate) fn connect_budget(&self, now: Instant) -> Budget {
        self.options.timeout(self.connect_timeout).budget(now)
    }

    pub(crate) fn recovery(&self) -> Recovery {
        Recovery::new(self.connect_timeout, self.pauses, buffers::random())
    }
}
