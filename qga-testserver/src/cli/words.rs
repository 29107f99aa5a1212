//! Adds to a message about a misspelt word what may have been meant.

use crate::suggest::hint;

/// Adds to a message of serde about an unknown word the known word that is similar to it.
pub(super) fn with_hint(message: &str) -> String {
    let mut quoted = message.split('`').skip(1).step_by(2);
    let known = message.starts_with("unknown ");
    match quoted.next().filter(|_| known) {
        Some(word) => format!("{message}{}", hint(word, quoted)),
        None => message.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::with_hint;

    #[test]
    fn an_unknown_word_gets_the_known_one_that_is_like_it() {
        let message = "unknown field `comand`, expected `command` or `fault`";
        assert_eq!(
            with_hint(message),
            format!("{message} (did you mean `command`?)")
        );
        for message in [
            "unknown field `x`, there are no fields",
            "missing field `command`",
        ] {
            assert_eq!(with_hint(message), message);
        }
    }
}
