use std::collections::BTreeSet;

use super::{Profile, RequestIds};

/// How the agent was started.
#[derive(Clone, Debug, Default)]
pub(crate) struct Settings {
    pub(crate) profile: Profile,
    /// What the test said of ids; else the profile says it.
    pub(crate) ids: Option<RequestIds>,
    pub(crate) disabled: BTreeSet<String>,
    /// If there is a list, only these may be used.
    pub(crate) allowed: Option<BTreeSet<String>>,
}

impl Settings {
    pub(crate) fn ids(&self) -> RequestIds {
        self.ids.unwrap_or(self.profile.request_ids())
    }

    /// Whether the agent's options let a command be used; a block wins over a permission.
    pub(crate) fn allows(&self, command: &str) -> bool {
        let listed = |allowed: &BTreeSet<String>| allowed.contains(command);
        !self.disabled.contains(command)
            && match &self.allowed {
                Some(allowed) => listed(allowed),
                None => self.profile.allows(command),
            }
    }
}
