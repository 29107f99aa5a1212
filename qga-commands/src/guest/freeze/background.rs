//! Thawing when nobody waits for it, on whatever still runs.

use std::thread;

use tokio::runtime::{Builder, Handle, RuntimeFlavor};

use super::thaw::{self, LONG, SHORT};
use crate::guest::Guest;

/// Thaws in the background, even if the runtime is about to end.
///
/// A task of a runtime that ends is dropped. A thread of its pool is waited for, but a clock that is
/// paused, which only a runtime of one thread has, stands still meanwhile. So the thaw is a task there,
/// and a thread in a runtime of many, which refuses new threads by the time that it drops its tasks.
pub(super) fn thaw(guest: &Guest, runtime: &Handle) {
    let duty = |next| Duty {
        guest: guest.clone(),
        next,
    };
    match runtime.runtime_flavor() {
        RuntimeFlavor::CurrentThread => {
            let duty = duty(Some(Next::Pool(runtime.clone())));
            runtime.spawn(duty.run());
        }
        _ => in_pool(duty(Some(Next::Thread)), runtime),
    }
}

/// A thaw that is due. If it is dropped before it is done, the next in line does it.
struct Duty {
    guest: Guest,
    next: Option<Next>,
}

enum Next {
    /// A thread that the runtime waits for.
    Pool(Handle),
    /// A thread that nobody waits for.
    Thread,
}

impl Duty {
    async fn run(mut self) {
        let patience = match self.next {
            // This is what the end of the runtime waits for.
            Some(Next::Thread) => SHORT,
            _ => LONG,
        };
        let thawed = thaw::thaw(&self.guest, None, patience).await;
        // Nobody is left to hear of a failure; the guest's clones stay refused.
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

impl Drop for Duty {
    fn drop(&mut self) {
        let guest = self.guest.clone();
        match self.next.take() {
            None => {}
            Some(Next::Pool(runtime)) => {
                let next = Some(Next::Thread);
                in_pool(Duty { guest, next }, &runtime);
            }
            Some(Next::Thread) => {
                let duty = Duty { guest, next: None };
                // Without a thread there is nothing left to try.
                let thread = thread::Builder::new().name("qga-thaw".to_owned());
                drop(thread.spawn(move || duty.run_here()));
            }
        }
    }
}

fn in_pool(duty: Duty, runtime: &Handle) {
    runtime.spawn_blocking(move || duty.run_here());
}
