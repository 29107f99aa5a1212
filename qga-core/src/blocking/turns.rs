//! Threads that take turns with a channel.

use std::collections::VecDeque;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicUsize, Ordering, fence};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Instant;

use super::channel::Channel;

/// A channel that one thread has at a time, in the order in which they came.
pub(super) struct Turns {
    channel: Mutex<Channel>,
    queue: Mutex<Queue>,
    /// How long the queue is.
    waiting: AtomicUsize,
    is_over: Condvar,
}

#[derive(Default)]
struct Queue {
    places: VecDeque<u64>,
    next: u64,
}

/// A channel in somebody's hands. However it is let go, nothing of a command is left behind.
pub(super) struct InUse<'a> {
    // Let go of before the next one is told.
    channel: MutexGuard<'a, Channel>,
    _turn: Turn<'a>,
}

/// Tells those who wait when it is over.
struct Turn<'a>(&'a Turns);

impl Turns {
    pub(super) fn new(channel: Channel) -> Self {
        Self {
            channel: Mutex::new(channel),
            queue: Mutex::default(),
            waiting: AtomicUsize::new(0),
            is_over: Condvar::new(),
        }
    }

    /// Waits for the channel until a moment at most.
    #[inline]
    pub(super) fn take(&self, deadline: Instant) -> Option<InUse<'_>> {
        let channel = match self.try_lock_unawaited() {
            Some(channel) => channel,
            None => self.wait(deadline)?,
        };
        Some(self.in_use(channel))
    }

    /// The channel, if nobody has it or waits for it.
    pub(super) fn try_take(&self) -> Option<InUse<'_>> {
        Some(self.in_use(self.try_lock_unawaited()?))
    }

    /// Whether somebody waits for the channel.
    pub(super) fn is_awaited(&self) -> bool {
        self.waiting.load(Ordering::SeqCst) > 0
    }

    fn in_use<'a>(&'a self, channel: MutexGuard<'a, Channel>) -> InUse<'a> {
        let mut in_use = InUse {
            channel,
            _turn: Turn(self),
        };
        in_use.driver().begin();
        in_use
    }

    fn try_lock_unawaited(&self) -> Option<MutexGuard<'_, Channel>> {
        (!self.is_awaited()).then(|| self.try_lock()).flatten()
    }

    fn try_lock(&self) -> Option<MutexGuard<'_, Channel>> {
        match self.channel.try_lock() {
            Ok(channel) => Some(channel),
            // Its holder's panic has left a channel that the next handshake sets right.
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    #[cold]
    fn wait(&self, deadline: Instant) -> Option<MutexGuard<'_, Channel>> {
        let mut queue = self.queue();
        let place = queue.next;
        queue.next += 1;
        queue.places.push_back(place);
        self.waiting.fetch_add(1, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        let taken = loop {
            let Some(left) = deadline.checked_duration_since(Instant::now()) else {
                break None;
            };
            if queue.places.front() == Some(&place)
                && let Some(channel) = self.try_lock()
            {
                break Some(channel);
            }
            let waited = self.is_over.wait_timeout(queue, left);
            (queue, _) = waited.unwrap_or_else(PoisonError::into_inner);
        };
        queue.places.retain(|waiting| *waiting != place);
        self.waiting.fetch_sub(1, Ordering::SeqCst);
        // Whoever is the first now has not been told.
        self.is_over.notify_all();
        taken
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        // Either this sees who waits, or who waits sees that the channel is free.
        fence(Ordering::SeqCst);
        if self.0.is_awaited() {
            let _queue = self.0.queue();
            self.0.is_over.notify_all();
        }
    }
}

impl Drop for InUse<'_> {
    fn drop(&mut self) {
        self.channel.driver().end();
    }
}

impl Deref for InUse<'_> {
    type Target = Channel;

    fn deref(&self) -> &Channel {
        &self.channel
    }
}

impl DerefMut for InUse<'_> {
    fn deref_mut(&mut self) -> &mut Channel {
        &mut self.channel
    }
}
