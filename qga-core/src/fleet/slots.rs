//! Futures that are polled side by side in one task, each only after it was woken.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use tokio::task::coop::has_budget_remaining;

/// How many polls a task does before it gives way.
const TURN: usize = 128;

/// Futures that are polled side by side in one task, each only after it was woken. A place is used again and again,
/// so whoever wakes a future that has ended wakes the next one in its place, which does no harm.
pub(super) struct Slots<F> {
    all: Vec<Slot<F>>,
    free: Vec<usize>,
    woken: Arc<Woken>,
}

struct Slot<F> {
    future: Option<F>,
    place: Arc<Place>,
    waker: Waker,
}

/// What wakes a slot's future.
struct Place {
    number: usize,
    is_queued: AtomicBool,
    woken: Arc<Woken>,
}

/// The places whose futures are to be polled, and the task that does so.
#[derive(Default)]
struct Woken(Mutex<Queue>);

#[derive(Default)]
struct Queue {
    places: VecDeque<usize>,
    /// None while the task is awake.
    task: Option<Waker>,
}

impl<F: Future + Unpin> Slots<F> {
    pub(super) fn new() -> Self {
        Self {
            all: Vec::new(),
            free: Vec::new(),
            woken: Arc::default(),
        }
    }

    /// How many futures there are.
    pub(super) fn len(&self) -> usize {
        self.all.len() - self.free.len()
    }

    pub(super) fn futures(&self) -> impl Iterator<Item = &F> {
        self.all.iter().filter_map(|slot| slot.future.as_ref())
    }

    /// Adds a future that [`poll_next`](Self::poll_next) will poll.
    pub(super) fn push(&mut self, future: F) {
        let number = self.free.pop().unwrap_or(self.all.len());
        if number == self.all.len() {
            self.all.push(Slot::new(number, &self.woken));
        }
        if let Some(slot) = self.all.get_mut(number) {
            slot.future = Some(future);
            if !slot.place.is_queued.swap(true, Ordering::AcqRel) {
                self.woken.lock().places.push_back(number);
            }
        }
    }

    /// The first future that is done. After so many polls the task gives way, even if there are futures that wake
    /// themselves without end.
    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<F::Output> {
        self.woken.begin();
        let mut left = TURN;
        while left > 0
            && has_budget_remaining()
            && let Some(number) = self.woken.next()
        {
            if let Poll::Ready(output) = self.poll(number) {
                return Poll::Ready(output);
            }
            left -= 1;
        }
        self.woken.end(cx.waker());
        Poll::Pending
    }

    /// Takes out a future that is to end before it is done.
    pub(super) fn take(&mut self, is_wanted: impl Fn(&F) -> bool) -> Option<F> {
        let mut slots = self.all.iter_mut();
        let slot = slots.find(|slot| slot.future.as_ref().is_some_and(&is_wanted))?;
        self.free.push(slot.place.number);
        slot.future.take()
    }

    fn poll(&mut self, number: usize) -> Poll<F::Output> {
        let Some(slot) = self.all.get_mut(number) else {
            return Poll::Pending;
        };
        slot.place.is_queued.swap(false, Ordering::AcqRel);
        let Some(mut future) = slot.future.take() else {
            return Poll::Pending;
        };
        // A future that panics is not met again.
        self.free.push(number);
        let polled = Pin::new(&mut future).poll(&mut Context::from_waker(&slot.waker));
        if polled.is_pending() {
            self.free.pop();
            slot.future = Some(future);
        }
        polled
    }
}

impl<F> Slot<F> {
    fn new(number: usize, woken: &Arc<Woken>) -> Self {
        let place = Arc::new(Place {
            number,
            is_queued: AtomicBool::new(false),
            woken: Arc::clone(woken),
        });
        Self {
            future: None,
            waker: Waker::from(Arc::clone(&place)),
            place,
        }
    }
}

impl Wake for Place {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.is_queued.swap(true, Ordering::AcqRel) {
            self.woken.push(self.number);
        }
    }
}

impl Woken {
    /// The task is awake, so that nobody need wake it: that would have its runtime send for another thread.
    fn begin(&self) {
        // Not dropped under the lock, since it may be the last that is left of a task.
        let task = self.lock().task.take();
        drop(task);
    }

    fn next(&self) -> Option<usize> {
        self.lock().places.pop_front()
    }

    /// The task goes to sleep, unless there is more to do.
    fn end(&self, task: &Waker) {
        let mut queue = self.lock();
        queue.task = Some(task.clone());
        if !queue.places.is_empty() {
            wake(queue);
        }
    }

    fn push(&self, number: usize) {
        let mut queue = self.lock();
        queue.places.push_back(number);
        wake(queue);
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Wakes the task once, after the queue was let go of.
fn wake(mut queue: MutexGuard<'_, Queue>) {
    let task = queue.task.take();
    drop(queue);
    if let Some(task) = task {
        task.wake();
    }
}
