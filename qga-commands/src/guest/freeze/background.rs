//! Thawing when nobody waits for it, on whatever still runs.

use std::thread;

use tokio::runtime::{Builder, Handle, RuntimeFlavor};

use super::State;
use super::state::Number;
use super::thaw::{self, LONG, SHORT};
use crate::guest::Guest;

/// Thaws what this freeze has frozen in the background, even if the runtime is about to end.
///
/// A task of a runtime that ends is dropped. A thread of its pool is waited for, but a clock that is
/// paused, which only a runtime of one thread has, stands still meanwhile. So the thaw is a task there,
/// and a thread in a runtime of many, which refuses new threads by the time that it drops its tasks.
pub(super) fn thaw(guest: &Guest, freeze: Number, runtime: &Handle) {
    let pending = |next| PendingThaw {
        guest: guest.clone(),
        freeze,
        next,
    };
    match runtime.runtime_flavor() {
        RuntimeFlavor::CurrentThread => {
            let pending = pending(Some(Next::Pool(runtime.clone())));
            runtime.spawn(pending.run());
        }
        _ => in_pool(pending(Some(Next::Thread)), runtime),
    }
}

/// A thaw that is due. If it is dropped before it is done, the next in line does it.
struct PendingThaw {
    guest: Guest,
    freeze: Number,
    next: Option<Next>,
}

enum Next {
    /// A thread that the runtime waits for.
    Pool(Handle),
    /// A thread that nobody waits for.
    Thread,
}

impl PendingThaw {
    async fn run(mut self) {
        let patience = match self.next {
            // This is what the end of the runtime waits for.
            Some(Next::Thread) => SHORT,
            _ => LONG,
        };
        let thawed = thaw::thaw_freeze(&self.guest, self.freeze, None, patience).await;
        if thawed.is_ok() || patience == LONG {
            self.next = None;
        }
    }

    /// Thaws on a runtime of its own, which the client's old channel does not know: if the old
    /// runtime has ended, that channel fails at once and is opened anew.
    fn run_here(self) {
        if let Ok(runtime) = Builder::new_current_thread().enable_all().build() {
            runtime.block_on(self.run());
        }
    }
}

impl Drop for PendingThaw {
    fn drop(&mut self) {
        let (guest, freeze) = (self.guest.clone(), self.freeze);
        let pending = |next| PendingThaw {
            guest,
            freeze,
            next,
        };
        match self.next.take() {
            // It is done, or there is nothing left to try.
            None => self.guest.client().attachment::<State>().give_up(freeze),
            Some(Next::Pool(runtime)) => in_pool(pending(Some(Next::Thread)), &runtime),
            Some(Next::Thread) => {
                let pending = pending(None);
                let thread = thread::Builder::new().name("qga-thaw".to_owned());
                drop(thread.spawn(move || pending.run_here()));
            }
        }
    }
}

fn in_pool(pending: PendingThaw, runtime: &Handle) {
    runtime.spawn_blocking(move || pending.run_here());
}
