//! Those who watch what a channel does.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::terms::ChannelState;

/// Those who watch a channel. While there are none, nothing is kept: to tell of each command costs more than
/// the client itself does for one.
#[derive(Default)]
pub(crate) struct Watchers {
    exist: AtomicBool,
    state: Mutex<Option<watch::Sender<ChannelState>>>,
}

impl Watchers {
    /// Tells the watchers of a state, if there are any.
    #[inline]
    pub(crate) fn tell(&self, state: impl Fn() -> ChannelState) {
        if self.exist.load(Ordering::Acquire) {
            self.tell_those_who_watch(&state);
        }
    }

    #[cold]
    fn tell_those_who_watch(&self, state: &dyn Fn() -> ChannelState) {
        let mut told = self.state();
        match &*told {
            Some(watched) if watched.receiver_count() > 0 => {
                watched.send_replace(state());
            }
            _ => {
                *told = None;
                self.exist.store(false, Ordering::Release);
            }
        }
    }

    /// A new watcher; `now` is asked for the state if there was none. It is asked when no more changes go
    /// unnoticed.
    pub(crate) fn add(&self, now: impl FnOnce() -> ChannelState) -> watch::Receiver<ChannelState> {
        let mut told = self.state();
        self.exist.store(true, Ordering::Release);
        told.get_or_insert_with(|| watch::Sender::new(now()))
            .subscribe()
    }

    fn state(&self) -> MutexGuard<'_, Option<watch::Sender<ChannelState>>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
