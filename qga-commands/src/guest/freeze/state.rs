//! What a guest's clones know of its filesystems.

use std::sync::atomic::{AtomicBool, Ordering};

/// Whether the filesystems are frozen, as far as this client has done it.
#[derive(Debug, Default)]
pub(in crate::guest) struct State {
    frozen: AtomicBool,
}

impl State {
    pub(in crate::guest) fn is_frozen(&self) -> bool {
        self.frozen.load(Ordering::Acquire)
    }

    /// Whether they were not frozen before.
    pub(super) fn freeze(&self) -> bool {
        !self.frozen.swap(true, Ordering::AcqRel)
    }

    pub(super) fn thaw(&self) {
        self.frozen.store(false, Ordering::Release);
    }
}
