//! How a run has gone.

use std::collections::BTreeMap;
use std::fmt;

use super::FailureKind;

/// How a [`Run`](super::Run) has gone so far. As a text it is a line for people.
///
/// ```
/// # #[derive(qga_core::QgaCommand)]
/// # #[qga(name = "guest-ping")]
/// # struct Ping;
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// # let agent = qga_testserver::TestAgent::start().await;
/// # let addresses = [agent.address(), "/no/such/vm2.sock".into()];
/// use qga_core::Fleet;
/// use qga_core::fleet::FailureKind;
///
/// let fleet = Fleet::new(addresses);
/// let mut run = fleet.run(|client| async move { client.execute(Ping).await });
/// while let Some(guest) = run.next().await {
///     println!("{}", guest.name);
/// }
/// let summary = run.summary();
/// assert_eq!((summary.answered(), summary.failed(FailureKind::NotReached)), (1, 1));
/// assert_eq!(summary.to_string(), "1 of 2 guests answered; 1 failed: 1 not reached");
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    guests: usize,
    answered: usize,
    failures: BTreeMap<FailureKind, usize>,
    not_asked: usize,
}

impl Summary {
    pub(super) fn new(guests: usize) -> Self {
        Self {
            guests,
            answered: 0,
            failures: BTreeMap::new(),
            not_asked: 0,
        }
    }

    pub(super) fn count(&mut self, failure: Option<FailureKind>) {
        match failure {
            None => self.answered += 1,
            Some(kind) => *self.failures.entry(kind).or_default() += 1,
        }
    }

    pub(super) fn stopped(&mut self, not_asked: usize) {
        self.not_asked = not_asked;
    }

    /// How many guests the fleet has.
    #[must_use]
    pub fn guests(&self) -> usize {
        self.guests
    }

    /// With how many guests the work was done.
    #[must_use]
    pub fn answered(&self) -> usize {
        self.answered
    }

    /// How many have failed in this way.
    #[must_use]
    pub fn failed(&self, kind: FailureKind) -> usize {
        self.failures.get(&kind).copied().unwrap_or_default()
    }

    /// In which ways guests have failed, and how many in each.
    pub fn failures(&self) -> impl Iterator<Item = (FailureKind, usize)> {
        self.failures.iter().map(|(kind, count)| (*kind, *count))
    }

    /// How many have failed in any way.
    #[must_use]
    pub fn failed_in_all(&self) -> usize {
        self.failures.values().sum()
    }

    /// How many will not be asked, since too many have [failed](super::Fleet::stop_after).
    #[must_use]
    pub fn not_asked(&self) -> usize {
        self.not_asked
    }

    /// How many are being asked or wait for their turn. It is 0 after the last result,
    /// but for guests whose work has panicked.
    #[must_use]
    pub fn outstanding(&self) -> usize {
        let settled = self.answered + self.failed_in_all() + self.not_asked;
        self.guests.saturating_sub(settled)
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let noun = if self.guests == 1 { "guest" } else { "guests" };
        write!(f, "{} of {} {noun} answered", self.answered, self.guests)?;
        if !self.failures.is_empty() {
            write!(f, "; {} failed", self.failed_in_all())?;
        }
        for (number, (kind, count)) in self.failures().enumerate() {
            let mark = if number == 0 { ":" } else { "," };
            write!(f, "{mark} {count} {kind}")?;
        }
        match self.not_asked {
            0 => {}
            1 => f.write_str("; 1 was not asked")?,
            more => write!(f, "; {more} were not asked")?,
        }
        match self.outstanding() {
            0 => Ok(()),
            1 => f.write_str("; 1 is outstanding"),
            more => write!(f, "; {more} are outstanding"),
        }
    }
}
