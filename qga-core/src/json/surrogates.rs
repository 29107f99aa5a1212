//! Halves of characters, which some agents write for bytes that are no text.

/// The text with U+FFFD in place of each escape that is half a character without its other half; `None` if there is
/// none. Such an escape is no JSON that a string can be read from.
pub(crate) fn replace_lone_surrogates(json: &str) -> Option<String> {
    let mut mended = String::new();
    let mut rest = json;
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        mended.push_str(before);
        let (length, is_lone) = match (half(escape), escape.get(6..).and_then(half)) {
            (Some(Half::First), Some(Half::Second)) => (12, false),
            (Some(_), _) => (6, true),
            (None, _) => (
                escape
                    .char_indices()
                    .nth(2)
                    .map_or(escape.len(), |(end, _)| end),
                false,
            ),
        };
        let (escape, after) = escape.split_at_checked(length).unwrap_or((escape, ""));
        mended.push_str(if is_lone { "\u{FFFD}" } else { escape });
        rest = after;
    }
    mended.push_str(rest);
    (mended != json).then_some(mended)
}

enum Half {
    First,
    Second,
}

/// Which half of a character an escape is that a text begins with, if it is one.
fn half(text: &str) -> Option<Half> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    match u16::from_str_radix(digits, 16).ok()? {
        0xD800..=0xDBFF => Some(Half::First),
        0xDC00..=0xDFFF => Some(Half::Second),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_a_character_becomes_the_replacement_character() {
        let cases = [
            (r#""a\udcffb""#, "\"a\u{FFFD}b\""),
            (r#""\uD83D""#, "\"\u{FFFD}\""),
            (r#""\uD83D\uD83D\uDE00""#, "\"\u{FFFD}\\uD83D\\uDE00\""),
            (r#""\uDE00\\""#, "\"\u{FFFD}\\\\\""),
            (r#""\uD83Dx\uDE00""#, "\"\u{FFFD}x\u{FFFD}\""),
        ];
        for (json, expected) in cases {
            let mended = replace_lone_surrogates(json).unwrap();
            assert_eq!(mended, expected);
            assert!(serde_json::from_str::<String>(&mended).is_ok(), "{mended}");
        }
    }

    #[test]
    fn what_is_whole_or_no_escape_stays() {
        for json in [
            r#""\uD83D\uDE00""#,
            r#""\\uD83D""#,
            r#""\u00e9\n\"""#,
            r#""\u12"#,
            r#""\"#,
            r#""\é"#,
            r#""\uD8é""#,
            "[1, 2]",
        ] {
            assert_eq!(replace_lone_surrogates(json), None, "{json}");
        }
    }
}
