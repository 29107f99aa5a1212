//! Which replies a fault is for, and the faults that wait for them.

use std::sync::Mutex;

use tokio::sync::Notify;

use super::Fault;
use super::random::Random;
use crate::lock::lock;

/// The faults that wait for replies to come, whatever commands these are for.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    all: Mutex<Vec<FaultPlan>>,
    added: Notify,
}

/// A fault and the replies that it is for.
///
/// The methods of [`Fault`] make one, and [`TestAgent::fault`](crate::TestAgent::fault) takes it. A
/// `Fault` alone is for the next reply.
#[derive(Clone, Debug)]
#[must_use = "a fault does nothing until it is given to an agent"]
pub struct FaultPlan {
    fault: Fault,
    when: When,
}

/// The replies that a fault is for.
#[derive(Clone, Debug)]
enum When {
    /// The next ones, this many. Faults of this kind wait in a queue.
    Next(usize),
    /// All of them. Faults behind this one in the queue wait for ever.
    Always,
    /// The one after this many others.
    After(usize),
    /// Each one with this probability.
    Chance(f64, Random),
    Never,
}

/// The replies that a fault is for.
impl Fault {
    /// Makes the fault happen to this many replies in a row.
    pub fn times(self, times: usize) -> FaultPlan {
        self.when(When::Next(times))
    }

    /// Makes the fault happen to every reply from now on, until
    /// [`TestAgent::reset`](crate::TestAgent::reset).
    pub fn always(self) -> FaultPlan {
        self.when(When::Always)
    }

    /// Makes the fault happen only to the n-th reply from now on; number 1 is the next one.
    ///
    /// The fault does not wait in the queue with others.
    ///
    /// # Panics
    ///
    /// When the number is 0.
    #[track_caller]
    pub fn on_reply(self, number: usize) -> FaultPlan {
        assert!(
            number > 0,
            "a fault for reply 0: the next reply is number 1"
        );
        self.when(When::After(number - 1))
    }

    /// Makes the fault happen to each reply with this probability, from 0 to 1, until
    /// [`TestAgent::reset`](crate::TestAgent::reset).
    ///
    /// The seed of the random numbers is printed to stderr, so that you can repeat a failed test with
    /// [`by_chance_with_seed`](Fault::by_chance_with_seed).
    ///
    /// # Panics
    ///
    /// When the probability is not a number from 0 to 1.
    #[allow(
        clippy::print_stderr,
        reason = "a test that fails by chance must be repeatable"
    )]
    #[track_caller]
    pub fn by_chance(self, probability: f64) -> FaultPlan {
        let seed = Random::any_seed();
        eprintln!("qga-testserver: a fault by chance, seed {seed}");
        self.by_chance_with_seed(probability, seed)
    }

    /// Makes the fault happen to each reply with this probability; the same seed picks the same replies.
    ///
    /// # Panics
    ///
    /// When the probability is not a number from 0 to 1.
    #[track_caller]
    pub fn by_chance_with_seed(self, probability: f64, seed: u64) -> FaultPlan {
        let possible = (0.0..=1.0).contains(&probability);
        assert!(possible, "a probability is from 0 to 1, not {probability}");
        self.when(When::Chance(probability, Random::new(seed)))
    }

    fn when(self, when: When) -> FaultPlan {
        FaultPlan { fault: self, when }
    }
}

impl From<Fault> for FaultPlan {
    fn from(fault: Fault) -> Self {
        fault.times(1)
    }
}

impl Faults {
    pub(crate) fn add(&self, plan: FaultPlan) {
        lock(&self.all).push(plan);
        self.added.notify_one();
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
            .any(|plan| plan.fault.resets() && !plan.is_spent())
    }

    /// Takes the faults of the next reply: the first one in the queue, and those outside the queue whose turn it is.
    pub(crate) fn take(&self) -> Vec<Fault> {
        let mut all = lock(&self.all);
        all.retain(|plan| !plan.is_spent());
        let mut queue_moved = false;
        let struck = all.iter_mut().filter_map(|plan| {
            let strikes = plan.strikes(&mut queue_moved);
            strikes.then(|| plan.fault.clone())
        });
        struck.collect()
    }
}

impl FaultPlan {
    fn is_spent(&self) -> bool {
        matches!(self.when, When::Next(0) | When::Never)
    }

    /// Counts this reply, and says whether the fault is for it.
    fn strikes(&mut self, queue_moved: &mut bool) -> bool {
        match &mut self.when {
            When::Next(_) | When::Always if std::mem::replace(queue_moved, true) => false,
            When::Next(left) => {
                *left -= 1;
                true
            }
            When::Always => true,
            When::After(0) => {
                self.when = When::Never;
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
