use std::collections::BTreeSet;

use super::{Profile, RequestIds};

/// What a test, or the options of the program, say about an agent.
#[derive(Clone, Debug, Default)]
pub(crate) struct Settings {
    pub(crate) profile: Profile,
    /// What the agent does with ids, if the test has said so; otherwise the profile decides.
    pub(crate) ids: Option<RequestIds>,
    pub(crate) disabled: BTreeSet<String>,
    /// If there is a list, the agent allows only these commands.
    pub(crate) allowed: Option<BTreeSet<String>>,
    /// Whether what a client leaves unread is for the next one.
    pub(crate) hands_on_replies: bool,
}

impl Settings {
    pub(crate) fn ids(&self) -> RequestIds {
        self.ids.unwrap_or(self.profile.request_ids())
    }

    /// Whether the agent's options allow a command. A command that is both disabled and allowed is disabled.
    pub(crate) fn allows(&self, command: &str) -> bool {
        let listed = |allowed: &BTreeSet<String>| allowed.contains(command);
        !self.disabled.contains(command)
            && match &self.allowed {
                Some(allowed) => listed(allowed),
                None => self.profile.allows(command),
            }
    }
}
