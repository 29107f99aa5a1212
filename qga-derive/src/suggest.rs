//! Did you mean ...?

/// What to say about `written`, which is not one of `words`; and which of them was meant.
pub(crate) fn unknown<'a>(
    what: &str,
    written: &str,
    words: &[&'a str],
) -> (String, Option<&'a str>) {
    let meant = closest(written, words);
    let hint = meant.map_or_else(
        || format!("expected one of `{}`", words.join("`, `")),
        |meant| format!("did you mean `{meant}`?"),
    );
    (format!("unknown {what} `{written}`; {hint}"), meant)
}

/// The word that `written` most likely is a misspelling of.
fn closest<'a>(written: &str, words: &[&'a str]) -> Option<&'a str> {
    let written = written.to_ascii_lowercase();
    let edits_to = |word: &str| {
        let allowed = (word.len() / 3).max(1);
        edits(
            written.as_bytes(),
            word.to_ascii_lowercase().as_bytes(),
            allowed,
        )
    };
    words
        .iter()
        .filter_map(|word| Some((edits_to(word)?, *word)))
        .min()
        .map(|(_, word)| word)
}

/// How many letters to insert, delete, replace or swap with the next, if that is at most `allowed`.
fn edits(from: &[u8], to: &[u8], allowed: usize) -> Option<usize> {
    if let ([a, from @ ..], [b, to @ ..]) = (from, to)
        && a == b
    {
        return edits(from, to, allowed);
    }
    if from.is_empty() && to.is_empty() {
        return Some(0);
    }
    let allowed = allowed.checked_sub(1)?;
    let inserted = || edits(from, to.get(1..)?, allowed);
    let deleted = || edits(from.get(1..)?, to, allowed);
    let replaced = || edits(from.get(1..)?, to.get(1..)?, allowed);
    let swapped = || match (from, to) {
        ([a, b, from @ ..], [c, d, to @ ..]) if a == d && b == c => edits(from, to, allowed),
        _ => None,
    };
    [inserted(), deleted(), replaced(), swapped()]
        .into_iter()
        .flatten()
        .min()
        .map(|edits| edits + 1)
}

#[cfg(test)]
mod tests {
    use super::closest;

    const KEYS: [&str; 5] = ["name", "response", "no_response", "retry", "crate"];

    #[test]
    fn one_wrong_missing_added_or_swapped_letter_is_forgiven() {
        for word in ["nane", "nam", "naame", "nmae", "Name"] {
            assert_eq!(closest(word, &KEYS), Some("name"), "{word}");
        }
    }

    #[test]
    fn a_longer_word_may_have_more_wrong_letters() {
        assert_eq!(closest("noreponse", &KEYS), Some("no_response"));
        assert_eq!(closest("resposne", &KEYS), Some("response"));
        assert_eq!(
            closest("after_resync", &["AfterResync"]),
            Some("AfterResync")
        );
    }

    #[test]
    fn another_word_is_no_misspelling() {
        for word in ["", "id", "case", "game_over", "timeout", "größe"] {
            assert_eq!(closest(word, &KEYS), None, "{word}");
        }
    }

    #[test]
    fn a_very_long_word_is_given_up_at_once() {
        assert_eq!(closest(&"no_response".repeat(1000), &KEYS), None);
    }
}
