use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::outbox::Outbox;

/// What a client has agreed on.
#[derive(Default)]
pub(super) struct Session {
    pub(super) outbox: Arc<Outbox>,
    pub(super) has_negotiated: AtomicBool,
    pub(super) may_overtake: AtomicBool,
}

impl Session {
    pub(super) fn may_overtake(&self) -> bool {
        self.may_overtake.load(Ordering::Relaxed)
    }
}
