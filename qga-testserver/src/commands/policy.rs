//! Which commands an agent allows at the moment.

use super::schema::{self, Presence};
use crate::profile::Settings;
use crate::stub::Stubs;

/// The commands that work while filesystems are frozen.
const FREEZE_SAFE: [&str; 6] = [
    "guest-ping",
    "guest-info",
    "guest-sync",
    "guest-sync-delimited",
    "guest-fsfreeze-status",
    "guest-fsfreeze-thaw",
];

/// What decides whether a command may be used.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Policy<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) stubs: &'a Stubs,
    pub(crate) frozen: bool,
}

impl Policy<'_> {
    /// Whether the agent knows a command, so that it can be disabled.
    pub(crate) fn knows(self, name: &str) -> bool {
        schema::presence(name, self.settings.profile) != Presence::Unknown || self.stubbed(name)
    }

    /// What follows `Command NAME has been disabled`, if it has been.
    pub(crate) fn disabled(self, name: &str) -> Option<&'static str> {
        let profile = self.settings.profile;
        let because = if profile.since(8, 0) {
            ": the command is not allowed"
        } else {
            ""
        };
        let supported = schema::presence(name, profile) != Presence::Unsupported;
        let safe = FREEZE_SAFE.contains(&name);
        if !self.knows(name) || (supported && self.frozen && safe && profile.since(8, 0)) {
            return None;
        }
        if !self.settings.allows(name) || !(supported || self.stubbed(name)) {
            return Some(because);
        }
        match self.frozen && !safe {
            true if profile.since(8, 0) => Some(because),
            true => Some(": the agent is in frozen state"),
            false => None,
        }
    }

    fn stubbed(self, name: &str) -> bool {
        self.stubs.names().iter().any(|stubbed| stubbed == name)
    }
}
