//! Which files go together: a message, or a program, for each of many small files would take far longer than their
//! bytes.

use std::time::Duration;

use super::entry::{Entry, Kind};

/// The longest file that goes with others, in bytes.
pub(super) const SMALL: u64 = 64 << 10;
/// Fewer files than this are copied one by one: to start a program takes as long as a few messages.
pub(super) const FEWEST: usize = 4;

/// The most that goes at once, in bytes.
const LONGEST: u64 = 2 << 20;
/// If it takes less than this, more may go at once: a message has to arrive well within the time of a command, also on
/// a slow channel.
const BRIEF: Duration = Duration::from_secs(1);

/// The small files below a folder that `wanted` takes, by their numbers in the list; none if there are few.
pub(super) fn small(entries: &[Entry], wanted: impl Fn(&Entry) -> bool) -> Vec<usize> {
    let is_small =
        |entry: &Entry| entry.kind == Kind::File && entry.size <= SMALL && !entry.path.is_empty();
    let numbered = entries.iter().enumerate();
    let small: Vec<_> = numbered
        .filter(|(_, entry)| is_small(entry) && wanted(entry))
        .map(|(index, _)| index)
        .collect();
    if small.len() < FEWEST {
        return Vec::new();
    }
    small
}

/// Takes as many from the front of a list as fit, and one at least. `cost` tells what each takes of each limit.
pub(super) fn take<'a, const N: usize>(
    left: &mut &'a [usize],
    mut limits: [u64; N],
    cost: impl Fn(usize) -> [u64; N],
) -> &'a [usize] {
    let mut count = 0;
    for index in *left {
        let costs = cost(*index);
        let fits = limits.iter().zip(costs).all(|(limit, cost)| cost <= *limit);
        if !fits && count > 0 {
            break;
        }
        for (limit, cost) in limits.iter_mut().zip(costs) {
            *limit = limit.saturating_sub(cost);
        }
        count += 1;
    }
    let (taken, rest) = left.split_at_checked(count).unwrap_or_default();
    *left = rest;
    taken
}

/// How many bytes go at once: more from one time to the next, as long as it does not take long.
pub(super) struct Amount {
    now: u64,
    longest: u64,
}

impl Amount {
    /// Of so many bytes at first, and never more than `carried`.
    pub(super) fn new(first: u64, carried: u64) -> Self {
        Self {
            now: first.min(carried),
            longest: LONGEST.min(carried),
        }
    }

    pub(super) fn now(&self) -> u64 {
        self.now
    }

    /// It took so long this time.
    pub(super) fn took(&mut self, time: Duration) {
        if time < BRIEF {
            self.now = self.now.saturating_mul(2).min(self.longest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_cut_by_each_limit_and_nothing_is_left_out() {
        let costs = [[5, 1], [5, 1], [1, 9], [1, 2], [99, 1], [1, 1]];
        let all: Vec<_> = (0..costs.len()).collect();
        let mut left = &*all;
        let mut taken = Vec::new();
        while !left.is_empty() {
            taken.push(take(&mut left, [10, 10], |index| costs[index]));
        }
        assert_eq!(
            taken,
            [&all[..2], &all[2..3], &all[3..4], &all[4..5], &all[5..]]
        );
    }

    #[test]
    fn more_goes_at_once_only_as_long_as_it_is_quick_and_carried() {
        let mut amount = Amount::new(100, 350);
        let mut then = |seconds| {
            amount.took(Duration::from_secs(seconds));
            amount.now()
        };
        assert_eq!([then(0), then(5), then(0), then(0)], [200, 200, 350, 350]);
        assert_eq!(Amount::new(100, 50).now(), 50);
        let mut amount = Amount::new(LONGEST, u64::MAX);
        amount.took(Duration::ZERO);
        assert_eq!(amount.now(), LONGEST);
    }
}
