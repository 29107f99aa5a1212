//! Which commands an agent allows at the moment.

use super::schema::{self, Presence};
use crate::profile::Settings;
use crate::stub::Stubs;
use crate::wire::json::text;
use crate::wire::reply::Failure;

/// The commands that work while filesystems are frozen.
const FREEZE_SAFE: [&str; 6] = [
    "guest-ping",
    "guest-info",
    "guest-sync",
    "guest-sync-delimited",
    "guest-fsfreeze-status",
    "guest-fsfreeze-thaw",
];

/// Why a command may not be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refusal {
    Disabled,
    Frozen,
}

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

    /// Whether a command is refused at the moment, so that it is listed as disabled.
    pub(crate) fn is_disabled(self, name: &str) -> bool {
        self.refusal(name).is_some()
    }

    /// The error with which a command is refused, if it is.
    pub(crate) fn disabled(self, name: &[u8]) -> Option<Failure> {
        let refusal = self.refusal(&text(name))?;
        let profile = self.settings.profile;
        let command: &[u8] = if profile.since(6, 0) {
            b"Command "
        } else {
            b"The command "
        };
        let because: &[u8] = match refusal {
            _ if profile.since(8, 0) => b": the command is not allowed",
            Refusal::Frozen if profile.since(6, 0) => b": the agent is in frozen state",
            _ if profile.since(6, 0) => b"",
            _ => b" for this instance",
        };
        let text = [command, name, b" has been disabled", because].concat();
        Some(if profile.since(4, 2) {
            Failure::not_found(text)
        } else {
            Failure::generic(text)
        })
    }

    fn refusal(self, name: &str) -> Option<Refusal> {
        let profile = self.settings.profile;
        let supported = schema::presence(name, profile) != Presence::Unsupported;
        let safe = FREEZE_SAFE.contains(&name);
        if !self.knows(name) || (supported && self.frozen && safe && profile.since(8, 0)) {
            return None;
        }
        if !self.settings.allows(name) || !(supported || self.stubbed(name)) {
            return Some(Refusal::Disabled);
        }
        (self.frozen && !safe).then_some(Refusal::Frozen)
    }

    fn stubbed(self, name: &str) -> bool {
        self.stubs.names().iter().any(|stubbed| stubbed == name)
    }
}
