//! How long the requests and replies may be that a channel carries.

use std::sync::{PoisonError, RwLock};

use crate::transport::TransportLimits;

/// The limits of the channel that was opened last. A channel that is opened with the first command tells them then.
#[derive(Default)]
pub(crate) struct Carried(RwLock<TransportLimits>);

impl Carried {
    pub(crate) fn set(&self, limits: TransportLimits) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = limits;
    }

    pub(crate) fn get(&self) -> TransportLimits {
        *self.0.read().unwrap_or_else(PoisonError::into_inner)
    }
}
