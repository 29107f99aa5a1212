//! The order that rustfmt's style of 2024 gives names.

use std::cmp::Ordering;

/// Compares segments of `use` paths: keywords first, then modules, types, and capitals.
pub(super) fn segments(a: &str, b: &str) -> Ordering {
    rank(a).cmp(&rank(b)).then_with(|| names(a, b))
}

fn rank(segment: &str) -> u8 {
    match segment {
        "self" => 0,
        "super" => 1,
        "crate" => 2,
        // A list.
        "{" => 6,
        _ if segment.len() > 1 && segment.chars().all(is_capital) => 5,
        _ if segment.starts_with(|first: char| first.is_ascii_uppercase()) => 4,
        _ => 3,
    }
}

fn is_capital(character: char) -> bool {
    character.is_ascii_uppercase() || character.is_ascii_digit() || character == '_'
}

/// Compares names so that numbers in them count as numbers, and `_` comes before all else.
fn names(a: &str, b: &str) -> Ordering {
    let (mut left, mut right) = (chunks(a).into_iter(), chunks(b).into_iter());
    let mut zeros = Ordering::Equal;
    loop {
        let (a, b) = match (left.next(), right.next()) {
            (Some(a), Some(b)) => (a, b),
            (Some(_), None) => return Ordering::Greater,
            (None, Some(_)) => return Ordering::Less,
            (None, None) => return zeros,
        };
        let order = match (kind(a), kind(b)) {
            (Kind::Line, _) | (_, Kind::Line) => kind(a).cmp(&kind(b)),
            (Kind::Number, Kind::Number) => {
                zeros = zeros.then(b.len().cmp(&a.len()));
                number(a).cmp(&number(b))
            }
            _ => a.cmp(b),
        };
        if order.is_ne() {
            return order;
        }
    }
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Line,
    Number,
    Text,
}

fn kind(chunk: &str) -> Kind {
    match chunk.chars().next() {
        Some('_') => Kind::Line,
        Some(first) if first.is_ascii_digit() => Kind::Number,
        _ => Kind::Text,
    }
}

/// What compares as the number does, however many digits it has.
fn number(digits: &str) -> (usize, &str) {
    let digits = digits.trim_start_matches('0');
    (digits.len(), digits)
}

/// A name in runs of digits, runs of letters, and single underscores.
fn chunks(name: &str) -> Vec<&str> {
    let mut chunks = Vec::new();
    let mut rest = name;
    while !rest.is_empty() {
        let first = kind(rest);
        let end = match first {
            Kind::Line => 1,
            _ => rest
                .char_indices()
                .find(|(at, _)| kind(rest.get(*at..).unwrap_or_default()) != first)
                .map_or(rest.len(), |(at, _)| at),
        };
        let (chunk, after) = rest.split_at(end);
        chunks.push(chunk);
        rest = after;
    }
    chunks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_count_as_numbers_and_capitals_come_last() {
        let sorted = [
            "a_b", "a2", "a10", "ab", "E2a", "Tab", "Tab2", "Tab10", "T2", "T10",
        ];
        for pair in sorted.windows(2) {
            assert_eq!(segments(pair[0], pair[1]), Ordering::Less, "{pair:?}");
            assert_eq!(segments(pair[1], pair[0]), Ordering::Greater, "{pair:?}");
        }
    }
}
