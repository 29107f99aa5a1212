//! What a channel is able to carry and to tell.

use std::sync::{Arc, PoisonError, RwLock};

use crate::transport::{MachineWatch, TransportLimits};

/// That of the channel that was opened last. A channel that is opened with the first command tells it then.
#[derive(Default)]
pub(crate) struct Carried(RwLock<Kept>);

#[derive(Clone, Default)]
struct Kept {
    limits: TransportLimits,
    machine: Option<Arc<dyn MachineWatch>>,
}

impl Carried {
    pub(crate) fn set(&self, limits: TransportLimits, machine: Option<Arc<dyn MachineWatch>>) {
        let kept = Kept { limits, machine };
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = kept;
    }

    /// How long requests and replies may be.
    pub(crate) fn limits(&self) -> TransportLimits {
        self.0.read().unwrap_or_else(PoisonError::into_inner).limits
    }

    /// What tells of the machine.
    pub(crate) fn machine(&self) -> Option<Arc<dyn MachineWatch>> {
        let kept = self.0.read().unwrap_or_else(PoisonError::into_inner);
        kept.machine.clone()
    }
}
