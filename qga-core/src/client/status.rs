//! What a channel tells those who do not have it.

use std::time::Instant;

use super::carried::Carried;
use super::watchers::Watchers;
use crate::terms::Contacts;

pub(crate) struct Status {
    pub(crate) carried: Carried,
    pub(crate) watchers: Watchers,
    pub(crate) contacts: Contacts,
}

impl Status {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            carried: Carried::default(),
            watchers: Watchers::default(),
            contacts: Contacts::new(now),
        }
    }
}
