//! Text of a guest, made safe to show.

use std::fmt::{self, Debug, Display, Formatter, Write};

/// How much is shown, in characters.
const LENGTH: usize = 200;

/// The beginning of a guest's text, made safe for a terminal and a log: up to 200 characters, with
/// those escaped that control a terminal, end a line, turn the direction of text or do not show.
///
/// ```
/// use qga_core::Excerpt;
///
/// let from_guest = "done\u{1b}[2J\u{202e}";
/// assert_eq!(Excerpt(from_guest).to_string(), r"done\u{1b}[2J\u{202e}");
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Excerpt<'a>(pub &'a str);

impl Display for Excerpt<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut rest = self.0.chars();
        for character in rest.by_ref().take(LENGTH) {
            if is_plain(character) {
                f.write_char(character)?;
            } else {
                write!(f, "{}", character.escape_default())?;
            }
        }
        match rest.as_str().len() {
            0 => Ok(()),
            more => write!(f, "... ({more} bytes more)"),
        }
    }
}

impl Debug for Excerpt<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

/// Neither a control character nor one that changes the direction of text or hides.
fn is_plain(character: char) -> bool {
    let hidden = matches!(character,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}'
    );
    !character.is_control() && !hidden
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_and_direction_characters_of_a_guest_are_escaped() {
        let shown = Excerpt("a\x1b[31m\n\u{202e}é").to_string();
        assert_eq!(shown, "a\\u{1b}[31m\\n\\u{202e}é");
        for hidden in [
            '\0',
            '\r',
            '\x7f',
            '\u{80}',
            '\u{9b}',
            '\u{9f}',
            '\u{61c}',
            '\u{2028}',
            '\u{2029}',
            '\u{2066}',
            '\u{2069}',
            '\u{feff}',
            '\u{e0041}',
        ] {
            let shown = Excerpt(&hidden.to_string()).to_string();
            assert!(shown.starts_with('\\') && shown.is_ascii(), "{hidden:?}");
        }
    }

    #[test]
    fn a_long_text_of_a_guest_is_cut() {
        for text in ["x".repeat(1_000_000), "\u{202e}".repeat(1_000_000)] {
            let shown = Excerpt(&text).to_string();
            assert!(shown.len() < 200 * 10 + 50, "{}", shown.len());
            assert!(shown.ends_with("bytes more)"));
        }
    }
}
