//! Threads that take turns with a channel.

use std::collections::VecDeque;
use std::ops::{Deref, DerefMut};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::channel::Channel;

/// A channel that one thread has at a time, in the order in which they came.
pub(super) struct Turns {
    queue: Mutex<Queue>,
    is_over: Condvar,
    channel: Mutex<Channel>,
}

#[derive(Default)]
struct Queue {
    is_taken: bool,
    waiting: VecDeque<u64>,
    next: u64,
}

/// A channel in somebody's hands. However it is let go, nothing of a command is left behind.
pub(super) struct InUse<'a> {
    turns: &'a Turns,
    channel: MutexGuard<'a, Channel>,
}

impl Turns {
    pub(super) fn new(channel: Channel) -> Self {
        Self {
            queue: Mutex::default(),
            is_over: Condvar::new(),
            channel: Mutex::new(channel),
        }
    }

    /// Waits for the channel until a moment at most.
    pub(super) fn take(&self, deadline: Instant) -> Option<InUse<'_>> {
        let mut queue = self.queue();
        if queue.is_taken || !queue.waiting.is_empty() {
            queue = self.wait(queue, deadline)?;
        }
        queue.is_taken = true;
        drop(queue);
        let mut channel = self.channel.lock().unwrap_or_else(PoisonError::into_inner);
        channel.driver().begin();
        Some(InUse {
            turns: self,
            channel,
        })
    }

    fn wait<'a>(
        &self,
        mut queue: MutexGuard<'a, Queue>,
        deadline: Instant,
    ) -> Option<MutexGuard<'a, Queue>> {
        let place = queue.next;
        queue.next += 1;
        queue.waiting.push_back(place);
        loop {
            if !queue.is_taken && queue.waiting.front() == Some(&place) {
                queue.waiting.pop_front();
                return Some(queue);
            }
            let Some(left) = deadline.checked_duration_since(Instant::now()) else {
                queue.waiting.retain(|waiting| *waiting != place);
                self.is_over.notify_all();
                return None;
            };
            let waited = self.is_over.wait_timeout(queue, left);
            (queue, _) = waited.unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Whether somebody waits for the channel.
    pub(super) fn is_awaited(&self) -> bool {
        !self.queue().waiting.is_empty()
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for InUse<'_> {
    fn drop(&mut self) {
        self.channel.driver().end();
        let mut queue = self.turns.queue();
        queue.is_taken = false;
        if !queue.waiting.is_empty() {
            self.turns.is_over.notify_all();
        }
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
