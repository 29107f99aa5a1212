//! How values are shown: as text, or as JSON.

use std::fmt::Write as _;
use std::io::{self, IsTerminal as _, Write as _};
use std::time::SystemTime;

use anstyle::{AnsiColor, Style};
use clap::ValueEnum;
use comfy_table::{Table, presets};
use serde::Serialize;
use serde_json::{Map, Value};

/// The version of the JSON that commands print. It grows when a member changes or goes.
const VERSION: u32 = 1;

/// How results are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Text for people.
    #[default]
    Text,
    /// One JSON object on standard output. Errors are text on standard error.
    Json,
}

/// Prints an object with one member, beside the version of its shape.
pub(crate) fn json(name: &str, value: impl Serialize) -> anyhow::Result<()> {
    json_members([(name, serde_json::to_value(value)?)])
}

/// Prints an object, with the version of its shape.
pub(crate) fn json_members<'a>(
    members: impl IntoIterator<Item = (&'a str, Value)>,
) -> anyhow::Result<()> {
    let object = versioned(members);
    let text = if io::stdout().is_terminal() {
        serde_json::to_string_pretty(&object)?
    } else {
        object.to_string()
    };
    Ok(io::stdout().write_all((text + "\n").as_bytes())?)
}

/// Prints an object with one member in a line of its own, as one of many.
pub(crate) fn json_line(name: &str, value: Value) -> anyhow::Result<()> {
    let text = versioned([(name, value)]).to_string() + "\n";
    Ok(io::stdout().write_all(text.as_bytes())?)
}

fn versioned<'a>(members: impl IntoIterator<Item = (&'a str, Value)>) -> Value {
    let mut object = Map::new();
    object.insert("version".to_owned(), VERSION.into());
    let members = members.into_iter();
    object.extend(members.map(|(name, value)| (name.to_owned(), value)));
    Value::Object(object)
}

/// Prints lines whose text may come from a guest.
pub(crate) fn lines(lines: impl IntoIterator<Item = impl AsRef<str>>) -> anyhow::Result<()> {
    let mut text = String::new();
    for line in lines {
        text.push_str(&visible(line.as_ref()));
        text.push('\n');
    }
    Ok(io::stdout().write_all(text.as_bytes())?)
}

/// Prints one line.
pub(crate) fn line(text: impl AsRef<str>) -> anyhow::Result<()> {
    lines([text])
}

/// Prints rows below each other; a heading only for people who look on.
pub(crate) fn table<const N: usize>(
    heading: [&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
) -> anyhow::Result<()> {
    styled_table(heading, rows.into_iter().map(|row| (Style::new(), row)))
}

/// The same, with rows that look differently on a terminal that has colours.
pub(crate) fn styled_table<const N: usize>(
    heading: [&str; N],
    rows: impl IntoIterator<Item = (Style, [String; N])>,
) -> anyhow::Result<()> {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    let mut styles = Vec::new();
    if io::stdout().is_terminal() && heading.iter().any(|title| !title.is_empty()) {
        table.add_row(heading);
        styles.push(Style::new().bold());
    }
    for (style, row) in rows {
        table.add_row(row.map(|cell| visible(&cell)));
        styles.push(style);
    }
    if let Some(column) = table.column_mut(0) {
        column.set_padding((0, 1));
    }
    let mut text = String::new();
    for (line, style) in table.lines().zip(styles) {
        let line = visible(line.trim_end());
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{style}{line}{style:#}");
    }
    let mut stdout = anstream::AutoStream::auto(io::stdout());
    Ok(stdout.write_all(text.as_bytes())?)
}

/// For what is wrong.
pub(crate) const BAD: Style = AnsiColor::Red.on_default();
/// For what may be wrong.
pub(crate) const DOUBTFUL: Style = AnsiColor::Yellow.on_default();
/// For what is well.
pub(crate) const GOOD: Style = AnsiColor::Green.on_default();

/// Says something beside the result, to people.
pub(crate) fn note(words: &str) {
    // Nobody may listen.
    let _ = writeln!(io::stderr(), "qga: {}", visible(words));
}

/// Text in which control characters are shown and not obeyed by a terminal.
pub(crate) fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() || is_invisible(character) {
            // Writing to a string cannot fail.
            let _ = write!(shown, "{}", character.escape_unicode());
        } else {
            shown.push(character);
        }
    }
    shown
}

/// Whether a character turns the direction of what stands beside it, or is not seen at all.
fn is_invisible(character: char) -> bool {
    matches!(
        character,
        '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
    )
}

/// A time, also one that is no date of this age, as a guest may tell it.
pub(crate) fn time(at: SystemTime) -> String {
    let mut shown = String::new();
    let is_shown = at >= SystemTime::UNIX_EPOCH
        && write!(shown, "{}", humantime::format_rfc3339_seconds(at)).is_ok();
    if is_shown {
        return shown;
    }
    match at.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(since) => format!("@{}", since.as_secs()),
        Err(before) => format!("@-{}", before.duration().as_secs()),
    }
}

/// The same, with milliseconds.
pub(crate) fn precise_time(at: SystemTime) -> String {
    let shown = time(at);
    let Some(seconds) = shown.strip_suffix('Z') else {
        return shown;
    };
    let since = at.duration_since(SystemTime::UNIX_EPOCH);
    format!(
        "{seconds}.{:03}Z",
        since.unwrap_or_default().subsec_millis()
    )
}

/// Bytes as base64, if they are no text, for JSON.
pub(crate) fn base64_unless_text(bytes: &[u8]) -> Option<String> {
    use base64::Engine as _;
    let is_text = std::str::from_utf8(bytes).is_ok();
    (!is_text).then(|| base64::engine::general_purpose::STANDARD.encode(bytes))
}

/// A number of bytes, as people read it.
pub(crate) fn size(bytes: u64) -> String {
    indicatif::BinaryBytes(bytes).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_time_can_be_shown() {
        let after = |seconds| SystemTime::UNIX_EPOCH + std::time::Duration::from_secs_f64(seconds);
        assert_eq!(time(after(1.5)), "1970-01-01T00:00:01Z");
        assert_eq!(precise_time(after(1.5)), "1970-01-01T00:00:01.500Z");
        for (at, words) in [
            (after(9e17), "@900000000000000000"),
            (after(253_402_300_800.0), "@253402300800"),
            (
                SystemTime::UNIX_EPOCH - std::time::Duration::from_secs(2),
                "@-2",
            ),
        ] {
            assert_eq!(
                (time(at), precise_time(at)),
                (words.to_owned(), words.to_owned())
            );
        }
    }

    #[test]
    fn what_a_terminal_would_obey_is_shown_instead() {
        assert_eq!(
            visible("a\u{1b}[31mb\r\u{9b}c\u{202e}d"),
            "a\\u{1b}[31mb\\u{d}\\u{9b}c\\u{202e}d"
        );
        assert_eq!(visible("Grüße, 世界"), "Grüße, 世界");
    }
}
