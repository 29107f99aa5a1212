//! A timer that is seldom touched.

use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::runtime::{Handle, Id};
use tokio::task::coop;
use tokio::time::{Instant, Sleep, sleep_until};

/// When a channel is opened, the timer first ends after this at the latest, and so need not be moved for the deadline
/// that is next and earlier, that of synchronizing.
const OPENING: Duration = Duration::from_millis(900);

/// Wakes a task at a deadline.
///
/// Setting a timer wakes the runtime's driver thread, which costs as much as an exchange. So one
/// timer serves many deadlines: it stays set while it ends too early, and is moved only then.
#[derive(Debug, Default)]
pub(crate) struct Alarm {
    timer: Option<(Id, Pin<Box<Sleep>>)>,
    /// Who is woken by the timer.
    woken: Option<Waker>,
    /// How long the timer is set for at most when it is new.
    first: Option<Duration>,
}

impl Alarm {
    /// An alarm for opening a channel, and for what follows.
    pub(crate) fn opening() -> Self {
        Self {
            first: Some(OPENING),
            ..Self::default()
        }
    }

    /// Ready when `deadline` has passed.
    pub(crate) fn poll(&mut self, deadline: Instant, cx: &mut Context<'_>) -> Poll<()> {
        let runtime = Handle::current().id();
        if self.is_set(runtime, deadline, cx.waker()) {
            return Poll::Pending;
        }
        self.woken = Some(cx.waker().clone());
        loop {
            let timer = match &mut self.timer {
                Some((id, timer)) if *id == runtime => timer,
                timer => {
                    let first = self.first.map(|first| Instant::now() + first);
                    let first = first.map_or(deadline, |first| first.min(deadline));
                    let sleep = Box::pin(sleep_until(first));
                    &mut timer.insert((runtime, sleep)).1
                }
            };
            if timer.deadline() > deadline {
                timer.as_mut().reset(deadline);
            }
            // With the task's budget spent, the timer would not be set.
            match pin!(coop::unconstrained(timer.as_mut())).poll(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(()) if Instant::now() >= deadline => return Poll::Ready(()),
                Poll::Ready(()) => timer.as_mut().reset(deadline),
            }
        }
    }

    /// Whether the timer wakes this task, at the deadline or before. A thread that is blocked on futures has one
    /// waker in all runtimes, and nobody may drive the timers of another one.
    fn is_set(&self, runtime: Id, deadline: Instant, waker: &Waker) -> bool {
        let (Some((id, timer)), Some(woken)) = (&self.timer, &self.woken) else {
            return false;
        };
        *id == runtime
            && is_same(woken, waker)
            && timer.deadline() <= deadline
            && !timer.is_elapsed()
    }
}

/// Whether both wake the same task. Unlike `will_wake` this also finds those to be the same whose table of
/// functions the compiler has laid down twice.
fn is_same(a: &Waker, b: &Waker) -> bool {
    a.data() == b.data() && a.vtable() == b.vtable()
}
