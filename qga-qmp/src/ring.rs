//! What is kept for one subscriber.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::wire::incoming::RawEvent;

/// Events for one subscriber, so many at most.
#[derive(Debug)]
pub(crate) struct Ring {
    most: usize,
    kept: VecDeque<Item>,
    /// How many were dropped before those that are kept.
    missed: u64,
    /// Whether a loss of the connection is among them.
    lost: bool,
}

/// Something that a subscriber is told.
#[derive(Clone, Debug)]
pub(crate) enum Item {
    Event(Arc<RawEvent>),
    /// So many events were missed.
    Missed(u64),
    /// The connection was lost.
    Lost,
}

impl Ring {
    pub(crate) fn new(most: usize) -> Self {
        Self {
            most: most.max(1),
            kept: VecDeque::new(),
            missed: 0,
            lost: false,
        }
    }

    pub(crate) fn push(&mut self, event: Arc<RawEvent>) {
        self.add(Item::Event(event));
    }

    /// So many events were not kept.
    pub(crate) fn miss(&mut self, count: u64) {
        match self.kept.back_mut() {
            Some(Item::Missed(missed)) => *missed = missed.saturating_add(count),
            _ => self.add(Item::Missed(count)),
        }
    }

    pub(crate) fn lose(&mut self) {
        self.add(Item::Lost);
    }

    /// What is to be told next.
    pub(crate) fn take(&mut self) -> Option<Item> {
        let missed = std::mem::take(&mut self.missed);
        match (std::mem::take(&mut self.lost), missed) {
            (true, _) => Some(Item::Lost),
            (false, 0) => self.kept.pop_front(),
            (false, missed) => Some(Item::Missed(missed)),
        }
    }

    /// The oldest makes room.
    fn add(&mut self, item: Item) {
        if self.kept.len() >= self.most {
            let dropped = match self.kept.pop_front() {
                Some(Item::Missed(count)) => count,
                Some(Item::Event(_)) => 1,
                Some(Item::Lost) => {
                    self.lost = true;
                    0
                }
                None => 0,
            };
            self.missed = self.missed.saturating_add(dropped);
        }
        self.kept.push_back(item);
    }
}
