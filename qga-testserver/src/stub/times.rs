use std::fmt;
use std::ops::{Range, RangeFrom, RangeInclusive, RangeTo, RangeToInclusive};

/// How often a stub is expected to be used: a number, or a range such as `1..`, `1..4`, `1..=3`, `..4`
/// or `..=3`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    least: usize,
    /// This is less than `least` if the range is empty.
    most: Option<usize>,
}

impl Times {
    /// Whether this number is in the range.
    pub(crate) fn include(self, times: usize) -> bool {
        times >= self.least && self.most.is_none_or(|most| times <= most)
    }

    /// The smallest number in the range.
    pub(crate) fn least(self) -> usize {
        self.least
    }

    /// Whether no number is in the range.
    pub(crate) fn is_empty(self) -> bool {
        self.most.is_some_and(|most| most < self.least)
    }

    fn below(least: usize, end: usize) -> Self {
        match end.checked_sub(1) {
            Some(most) => Self::between(least, most),
            None => Self::between(1, 0),
        }
    }

    fn between(least: usize, most: usize) -> Self {
        let most = Some(most);
        Self { least, most }
    }
}

/// The number and the word after it: `1 request`, `at least 2 requests`.
impl fmt::Display for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let last = match (self.least, self.most) {
            (0, Some(0)) => return f.write_str("no request"),
            (least, Some(most)) if least == most => {
                write!(f, "{least}")?;
                least
            }
            (0, Some(most)) => {
                write!(f, "at most {most}")?;
                most
            }
            (least, Some(most)) => {
                write!(f, "{least} to {most}")?;
                most
            }
            (least, None) => {
                write!(f, "at least {least}")?;
                least
            }
        };
        f.write_str(if last == 1 { " request" } else { " requests" })
    }
}

impl From<usize> for Times {
    fn from(times: usize) -> Self {
        Self::between(times, times)
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

impl From<Range<usize>> for Times {
    fn from(range: Range<usize>) -> Self {
        Self::below(range.start, range.end)
    }
}

impl From<RangeInclusive<usize>> for Times {
    fn from(range: RangeInclusive<usize>) -> Self {
        Self::between(*range.start(), *range.end())
    }
}

impl From<RangeTo<usize>> for Times {
    fn from(range: RangeTo<usize>) -> Self {
        Self::below(0, range.end)
    }
}

impl From<RangeToInclusive<usize>> for Times {
    fn from(range: RangeToInclusive<usize>) -> Self {
        Self::between(0, range.end)
    }
}

#[cfg(test)]
mod tests {
    use super::Times;

    #[test]
    fn each_kind_of_range_says_what_it_means() {
        let cases: [(Times, &str, [bool; 4]); 8] = [
            (0.into(), "no request", [true, false, false, false]),
            (1.into(), "1 request", [false, true, false, false]),
            (
                (2..).into(),
                "at least 2 requests",
                [false, false, true, true],
            ),
            ((1..3).into(), "1 to 2 requests", [false, true, true, false]),
            ((1..=3).into(), "1 to 3 requests", [false, true, true, true]),
            (
                (..2).into(),
                "at most 1 request",
                [true, true, false, false],
            ),
            (
                (..=2).into(),
                "at most 2 requests",
                [true, true, true, false],
            ),
            ((2..=2).into(), "2 requests", [false, false, true, false]),
        ];
        for (times, text, included) in cases {
            assert_eq!(times.to_string(), text);
            for (number, wanted) in included.into_iter().enumerate() {
                assert_eq!(times.include(number), wanted, "{text}: {number}");
            }
        }
    }

    #[test]
    fn a_range_without_a_number_is_empty() {
        #[allow(clippy::reversed_empty_ranges, reason = "that is the mistake")]
        let empty: [Times; 3] = [(3..=1).into(), (2..2).into(), (..0).into()];
        assert!(empty.into_iter().all(Times::is_empty));
        assert!(!Times::from(0).is_empty());
    }
}
