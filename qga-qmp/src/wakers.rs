//! Who waits for a connection that they all share: whoever is woken reads for all.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Wake, Waker};

use std::sync::Arc;

/// The wakers of all who wait, by their numbers. As a waker itself, it wakes all of them: the one who has asked the
/// stream last may be gone when something arrives.
#[derive(Debug, Default)]
pub(crate) struct Wakers(Mutex<HashMap<u64, Waker>>);

impl Wakers {
    pub(crate) fn set(&self, who: u64, waker: &Waker) {
        let mut wakers = self.lock();
        match wakers.get_mut(&who) {
            Some(known) => known.clone_from(waker),
            None => drop(wakers.insert(who, waker.clone())),
        }
    }

    pub(crate) fn remove(&self, who: u64) {
        let removed = self.lock().remove(&who);
        drop(removed);
    }

    pub(crate) fn wake_one(&self, who: u64) {
        let waker = self.lock().get(&who).cloned();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    pub(crate) fn wake_all(&self) {
        let all: Vec<Waker> = self.lock().values().cloned().collect();
        all.into_iter().for_each(Waker::wake);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Waker>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for Wakers {
    fn wake(self: Arc<Self>) {
        self.wake_all();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.wake_all();
    }
}
