//! Finds the name that somebody may have meant who has misspelt one.

/// The name that is most similar to a word, if one is similar.
pub(crate) fn closest<'a>(word: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let most = (word.chars().count() / 3).max(1);
    let distances = names.into_iter().map(|name| (distance(word, name), name));
    let near = distances.filter(|(distance, _)| *distance <= most);
    near.min().map(|(_, name)| name)
}

/// The words ` (did you mean ...?)`, if a name is similar to the word.
pub(crate) fn hint<'a>(word: &str, names: impl IntoIterator<Item = &'a str>) -> String {
    closest(word, names).map_or(String::new(), |name| format!(" (did you mean `{name}`?)"))
}

/// How many letters must be inserted, removed, replaced, or swapped with the next one.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=other.len()).collect();
    let mut last = None;
    for (row, letter) in one.chars().enumerate() {
        let mut line = vec![row + 1];
        for (column, (at, step)) in other.iter().zip(above.windows(2)).enumerate() {
            let &[diagonal, up] = step else { continue };
            let left = line.last().copied().unwrap_or_default();
            let replaced = diagonal + usize::from(letter != *at);
            let previous = column.checked_sub(1);
            let is_swap =
                last == Some(*at) && previous.and_then(|at| other.get(at)) == Some(&letter);
            let swapped = previous.and_then(|at| before.get(at)).filter(|_| is_swap);
            let swapped = swapped.map_or(usize::MAX, |cost| cost + 1);
            line.push(replaced.min(up + 1).min(left + 1).min(swapped));
        }
        before = std::mem::replace(&mut above, line);
        last = Some(letter);
    }
    above.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{closest, distance};

    #[test]
    fn a_distance_counts_changes_of_letters() {
        let cases = [
            ("torn", "torn", 0),
            ("tron", "torn", 1),
            ("trn", "torn", 1),
            ("tornn", "torn", 1),
            ("turn", "torn", 1),
            ("", "torn", 4),
            ("torn", "", 4),
            ("kitten", "sitting", 3),
            ("\u{e9}t", "t\u{e9}", 1),
        ];
        for (one, other, wanted) in cases {
            assert_eq!(distance(one, other), wanted, "{one} {other}");
        }
    }

    #[test]
    fn only_what_is_like_a_word_is_meant() {
        let names = ["no-answer", "torn", "twice"];
        assert_eq!(closest("no_answer", names), Some("no-answer"));
        assert_eq!(closest("tron", names), Some("torn"));
        assert_eq!(closest("nonsense", names), None);
        assert_eq!(closest("", names), None);
    }
}
