//! A timer that is seldom touched.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::runtime::{Handle, Id};
use tokio::time::{Instant, Sleep, sleep_until};

/// The moment `timeout` from now; far away where that overflows.
pub(crate) fn after(timeout: Duration) -> Instant {
    later(Instant::now(), timeout)
}

/// The moment `time` after another; far away where that overflows.
pub(crate) fn later(since: Instant, time: Duration) -> Instant {
    const FAR: Duration = Duration::from_secs(60 * 60 * 24 * 365 * 30);
    since.checked_add(time.min(FAR)).unwrap_or(since)
}

/// Wakes a task at a deadline.
///
/// Setting a timer wakes the runtime's driver thread, which costs as much as an exchange. So one
/// timer serves many deadlines: it stays set while it ends too early, and is moved only then.
#[derive(Debug, Default)]
pub(crate) struct Alarm {
    timer: Option<(Id, Pin<Box<Sleep>>)>,
}

impl Alarm {
    /// Ready when `deadline` has passed.
    pub(crate) fn poll(&mut self, deadline: Instant, cx: &mut Context<'_>) -> Poll<()> {
        let runtime = Handle::current().id();
        loop {
            let timer = match &mut self.timer {
                Some((id, timer)) if *id == runtime => timer,
                timer => {
                    let sleep = Box::pin(sleep_until(deadline));
                    &mut timer.insert((runtime, sleep)).1
                }
            };
            if timer.deadline() > deadline {
                timer.as_mut().reset(deadline);
            }
            match timer.as_mut().poll(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(()) if Instant::now() >= deadline => return Poll::Ready(()),
                Poll::Ready(()) => timer.as_mut().reset(deadline),
            }
        }
    }
}
