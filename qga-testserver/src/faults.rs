use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use crate::Fault;
use crate::state::lock;

/// Faults for the next replies, whatever they answer.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    queue: Mutex<VecDeque<Arc<Waiting>>>,
}

/// A fault and how many replies it is still for.
#[derive(Debug)]
struct Waiting {
    fault: Fault,
    left: Mutex<Option<usize>>,
}

/// A fault for the next reply. There is no need to keep it.
#[derive(Debug)]
pub struct NextFault {
    waiting: Arc<Waiting>,
}

impl NextFault {
    /// It is for so many replies in a row instead of one.
    pub fn times(&mut self, times: usize) -> &mut Self {
        *lock(&self.waiting.left) = Some(times);
        self
    }

    /// It is for every reply from now on, until [`TestAgent::reset`](crate::TestAgent::reset).
    pub fn always(&mut self) -> &mut Self {
        *lock(&self.waiting.left) = None;
        self
    }
}

impl Faults {
    pub(crate) fn add(&self, fault: Fault) -> NextFault {
        let waiting = Arc::new(Waiting {
            fault,
            left: Some(1).into(),
        });
        lock(&self.queue).push_back(Arc::clone(&waiting));
        NextFault { waiting }
    }

    pub(crate) fn clear(&self) {
        lock(&self.queue).clear();
    }

    /// The fault of the next reply.
    pub(crate) fn take(&self) -> Option<Fault> {
        let mut queue = lock(&self.queue);
        loop {
            let first = queue.front()?;
            let mut left = lock(&first.left);
            match *left {
                None => return Some(first.fault.clone()),
                Some(0) => {
                    drop(left);
                    queue.pop_front();
                }
                Some(more) => {
                    *left = Some(more - 1);
                    return Some(first.fault.clone());
                }
            }
        }
    }
}
