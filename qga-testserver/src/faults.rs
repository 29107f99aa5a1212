use std::fmt;
use std::sync::{Arc, Mutex};

use tokio::sync::Notify;

use crate::Fault;
use crate::state::lock;

mod random;

use random::Random;

/// Faults for replies to come, whatever they answer.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    all: Mutex<Vec<Arc<Waiting>>>,
    added: Notify,
}

/// A fault and the replies that it is for.
#[derive(Debug)]
struct Waiting {
    fault: Fault,
    when: Mutex<When>,
}

/// The replies that a fault is for.
#[derive(Debug)]
enum When {
    /// The next ones, so many; faults of this kind queue up.
    Next(usize),
    /// All of them; those behind it in the queue wait for ever.
    Always,
    /// The one after so many others.
    After(usize),
    /// Each one with this probability.
    Chance(f64, Random),
    Never,
}

/// A fault for the next reply. There is no need to keep it.
pub struct NextFault {
    waiting: Arc<Waiting>,
}

impl NextFault {
    /// It is for so many replies in a row instead of one.
    pub fn times(&mut self, times: usize) -> &mut Self {
        self.when(When::Next(times))
    }

    /// It is for every reply from now on, until [`TestAgent::reset`](crate::TestAgent::reset).
    pub fn always(&mut self) -> &mut Self {
        self.when(When::Always)
    }

    /// It is for the n-th reply from now on, and for no other; 1 is the next one.
    ///
    /// It does not queue up with others.
    pub fn on_message(&mut self, number: usize) -> &mut Self {
        self.when(When::After(number.saturating_sub(1)))
    }

    /// It is for each reply with this probability, from 0 to 1, until
    /// [`TestAgent::reset`](crate::TestAgent::reset).
    ///
    /// The seed is printed to the stream for errors, so that a failed test can be repeated with
    /// [`by_chance_with_seed`](NextFault::by_chance_with_seed).
    #[allow(
        clippy::print_stderr,
        reason = "a test that fails by chance must be repeatable"
    )]
    pub fn by_chance(&mut self, probability: f64) -> &mut Self {
        let seed = Random::any_seed();
        eprintln!("qga-testserver: a fault by chance, seed {seed}");
        self.by_chance_with_seed(probability, seed)
    }

    /// It is for each reply with this probability, decided by this seed.
    pub fn by_chance_with_seed(&mut self, probability: f64, seed: u64) -> &mut Self {
        self.when(When::Chance(probability, Random::new(seed)))
    }

    fn when(&mut self, when: When) -> &mut Self {
        *lock(&self.waiting.when) = when;
        self
    }
}

impl fmt::Debug for NextFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NextFault")
            .field("fault", &self.waiting.fault)
            .finish_non_exhaustive()
    }
}

impl Faults {
    pub(crate) fn add(&self, fault: Fault) -> NextFault {
        let waiting = Arc::new(Waiting {
            fault,
            when: When::Next(1).into(),
        });
        lock(&self.all).push(Arc::clone(&waiting));
        self.added.notify_one();
        NextFault { waiting }
    }

    pub(crate) fn clear(&self) {
        lock(&self.all).clear();
    }

    /// Waits until another fault is added.
    pub(crate) async fn added(&self) {
        self.added.notified().await;
    }

    /// Whether some fault to come resets the connection.
    pub(crate) fn reset_ahead(&self) -> bool {
        let all = lock(&self.all);
        all.iter()
            .any(|waiting| waiting.fault.resets() && !waiting.is_spent())
    }

    /// The faults of the next reply: one of those that queue up, and all others.
    pub(crate) fn take(&self) -> Vec<Fault> {
        let mut all = lock(&self.all);
        all.retain(|waiting| !waiting.is_spent());
        let mut queue_moved = false;
        let strikes = |waiting: &&Arc<Waiting>| waiting.strikes(&mut queue_moved);
        let struck = all.iter().filter(strikes);
        struck.map(|waiting| waiting.fault.clone()).collect()
    }
}

impl Waiting {
    fn is_spent(&self) -> bool {
        matches!(*lock(&self.when), When::Next(0) | When::Never)
    }

    /// Whether it is for this reply; counts it.
    fn strikes(&self, queue_moved: &mut bool) -> bool {
        let mut when = lock(&self.when);
        match &mut *when {
            When::Next(_) | When::Always if std::mem::replace(queue_moved, true) => false,
            When::Next(left) => {
                *left -= 1;
                true
            }
            When::Always => true,
            When::After(0) => {
                *when = When::Never;
                true
            }
            When::After(left) => {
                *left -= 1;
                false
            }
            When::Chance(probability, random) => random.fraction() < *probability,
            When::Never => false,
        }
    }
}
