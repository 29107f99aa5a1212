//! Text of a guest, made safe to show.

use std::fmt::{self, Debug, Display, Formatter, Write};

/// How many characters of a long text are shown, from its beginning and from its end. What went wrong
/// often stands at the end, behind a long name.
const BEGINNING: usize = 120;
const END: usize = 80;
/// How many characters are not worth leaving out, since it takes about as many to say so.
const NOT_WORTH: usize = 40;

/// A guest's text, made safe for a terminal and a log: up to 240 characters, the first 120 and the
/// last 80 of a longer one, with those escaped that control a terminal, end a line, turn the
/// direction of text or do not show.
///
/// ```
/// use qga_core::Excerpt;
///
/// let from_guest = "done\u{1b}[2J\u{202e}";
/// assert_eq!(Excerpt(from_guest).to_string(), r"done\u{1b}[2J\u{202e}");
///
/// let from_guest = format!("failed to open file '/{}': File name too long", "a".repeat(4000));
/// assert!(Excerpt(&from_guest).to_string().ends_with("aaa': File name too long"));
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Excerpt<'a>(pub &'a str);

impl Display for Excerpt<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Some((beginning, left_out, end)) = self.parts() else {
            return write_plain(f, self.0);
        };
        write_plain(f, beginning)?;
        f.write_str(&gap(left_out))?;
        write_plain(f, end)
    }
}

impl<'a> Excerpt<'a> {
    /// The beginning and the end of a text that is too long, and the bytes between them.
    fn parts(self) -> Option<(&'a str, usize, &'a str)> {
        let at = |(at, _)| at;
        let mut characters = self.0.char_indices();
        let start_of_middle = characters.nth(BEGINNING).map(at)?;
        let start_of_end = characters.nth_back(END - 1).map(at)?;
        let (beginning, rest) = self.0.split_at_checked(start_of_middle)?;
        let (middle, end) = rest.split_at_checked(start_of_end - start_of_middle)?;
        middle.chars().nth(NOT_WORTH)?;
        Some((beginning, middle.len(), end))
    }
}

/// The same of bytes that are kept to be shown later: at most `limit` of them.
pub(crate) fn shortened(bytes: &[u8], limit: usize) -> String {
    let end = bytes.len().saturating_sub(limit / 2);
    match (bytes.get(..limit / 2), bytes.get(end..)) {
        (Some(beginning), Some(end)) if bytes.len() > limit => {
            let left_out = bytes.len() - beginning.len() - end.len();
            let (beginning, end) = [beginning, end].map(String::from_utf8_lossy).into();
            format!("{beginning}{}{end}", gap(left_out))
        }
        _ => String::from_utf8_lossy(bytes).into_owned(),
    }
}

/// What stands where so many bytes are missing.
fn gap(left_out: usize) -> String {
    let bytes = if left_out == 1 { "byte" } else { "bytes" };
    format!("... ({left_out} {bytes} left out) ...")
}

fn write_plain(f: &mut Formatter<'_>, text: &str) -> fmt::Result {
    text.chars().try_for_each(|character| {
        if is_plain(character) {
            f.write_char(character)
        } else {
            write!(f, "{}", character.escape_default())
        }
    })
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
    fn of_a_long_text_of_a_guest_the_beginning_and_the_end_are_shown() {
        let text = format!("a{}z", "\u{e9}".repeat(1_000_000));
        let shown = Excerpt(&text).to_string();
        let (beginning, end) = ("\u{e9}".repeat(119), "\u{e9}".repeat(79));
        let between = "... (1999604 bytes left out) ...";
        assert_eq!(shown, format!("a{beginning}{between}{end}z"));
        let shown = Excerpt(&"\u{202e}".repeat(1_000_000)).to_string();
        assert!(shown.len() < 200 * 10 + 50, "{}", shown.len());
    }

    #[test]
    fn a_text_is_shown_whole_where_leaving_something_out_would_make_it_no_shorter() {
        for length in [0, 1, 120, 121, 199, 200, 240] {
            for character in ["x", "\u{e9}"] {
                let text = character.repeat(length);
                assert_eq!(Excerpt(&text).to_string(), text);
            }
        }
        let shown = Excerpt(&"x".repeat(241)).to_string();
        assert!(shown.contains("x... (41 bytes left out) ...x"), "{shown}");
        assert!(shown.len() < 241, "{shown}");
    }

    #[test]
    fn bytes_are_shortened_in_the_middle() {
        assert_eq!(shortened(b"12345678", 8), "12345678");
        assert_eq!(
            shortened(b"123456789", 8),
            "1234... (1 byte left out) ...6789"
        );
        assert_eq!(
            shortened(b"1234567890", 8),
            "1234... (2 bytes left out) ...7890"
        );
        assert_eq!(
            shortened(b"\xFFabc\xC3", 4),
            "\u{fffd}a... (1 byte left out) ...c\u{fffd}"
        );
        assert_eq!(shortened(b"", 8), "");
    }
}
