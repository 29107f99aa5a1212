use std::fmt;
use std::ops::{RangeFrom, RangeInclusive, RangeToInclusive};

/// How often something is to happen: a number, `1..`, `1..=3` or `..=3`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    least: usize,
    most: Option<usize>,
}

impl Times {
    /// Any number of times, none included.
    pub(crate) const ANY: Self = Self {
        least: 0,
        most: None,
    };

    /// Whether it may happen once more after so many times.
    pub(crate) fn allow_another(self, after: usize) -> bool {
        self.most.is_none_or(|most| after < most)
    }

    /// Whether so many times are enough.
    pub(crate) fn are_reached(self, after: usize) -> bool {
        after >= self.least
    }
}

impl fmt::Display for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.least, self.most) {
            (least, Some(most)) if least == most => write!(f, "{least}"),
            (least, Some(most)) => write!(f, "{least} to {most}"),
            (least, None) => write!(f, "at least {least}"),
        }
    }
}

impl From<usize> for Times {
    fn from(times: usize) -> Self {
        Self {
            least: times,
            most: Some(times),
        }
    }
}

impl From<RangeFrom<usize>> for Times {
    fn from(range: RangeFrom<usize>) -> Self {
        Self {
            least: range.start,
            most: None,
        }
    }
}

impl From<RangeInclusive<usize>> for Times {
    fn from(range: RangeInclusive<usize>) -> Self {
        Self {
            least: *range.start(),
            most: Some(*range.end()),
        }
    }
}

impl From<RangeToInclusive<usize>> for Times {
    fn from(range: RangeToInclusive<usize>) -> Self {
        Self {
            least: 0,
            most: Some(range.end),
        }
    }
}
