use std::sync::Mutex;

use tokio::sync::Notify;

use super::Fault;
use super::random::Random;
use crate::lock::lock;

/// Faults for replies to come, whatever they answer.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    all: Mutex<Vec<FaultPlan>>,
    added: Notify,
}

/// A fault and the replies that it is for.
///
/// Made by the methods of [`Fault`] and given to [`TestAgent::fault`](crate::TestAgent::fault); a
/// fault alone is for the next reply.
#[derive(Clone, Debug)]
#[must_use = "a fault does nothing until it is given to an agent"]
pub struct FaultPlan {
    fault: Fault,
    when: When,
}

/// The replies that a fault is for.
#[derive(Clone, Debug)]
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

/// The replies that a fault is for.
impl Fault {
    /// It is for so many replies in a row.
    pub fn times(self, times: usize) -> FaultPlan {
        self.when(When::Next(times))
    }

    /// It is for every reply from now on, until [`TestAgent::reset`](crate::TestAgent::reset).
    pub fn always(self) -> FaultPlan {
        self.when(When::Always)
    }

    /// It is for the n-th reply from now on, and for no other; 1 is the next one.
    ///
    /// It does not queue up with others.
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

    /// It is for each reply with this probability, from 0 to 1, until
    /// [`TestAgent::reset`](crate::TestAgent::reset).
    ///
    /// The seed is printed to the stream for errors, so that a failed test can be repeated with
    /// [`by_chance_with_seed`](Fault::by_chance_with_seed).
    ///
    /// # Panics
    ///
    /// When the probability is no number from 0 to 1.
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

    /// It is for each reply with this probability, decided by this seed.
    ///
    /// # Panics
    ///
    /// When the probability is no number from 0 to 1.
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

    /// The faults of the next reply: one of those that queue up, and all others.
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

    /// Whether it is for this reply; counts it.
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
