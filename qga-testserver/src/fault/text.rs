//! The names of faults, and how a fault is read from text.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde_json::Value;

use super::Fault;
use crate::suggest::hint;

/// A fault's name, and how its value is read.
type Named = (&'static str, Kind);

enum Kind {
    Plain(fn() -> Fault),
    /// A fault that needs a value; the text says what kind of value.
    With(&'static str, fn(&str) -> Option<Fault>),
}

const FAULTS: [Named; 24] = [
    ("no-answer", Kind::Plain(Fault::no_answer)),
    ("hang", Kind::Plain(Fault::hang)),
    (
        "delay",
        Kind::With("a time such as 500ms or 2s", |value| {
            duration(value).map(Fault::delay)
        }),
    ),
    (
        "bytes-first",
        Kind::With("bytes", |value| Some(Fault::bytes_first(unescape(value)))),
    ),
    (
        "lines-first",
        Kind::With("a number of bytes", |value| {
            value.parse().ok().map(Fault::lines_first)
        }),
    ),
    ("endless-lines", Kind::Plain(Fault::endless_lines)),
    (
        "long-line",
        Kind::With("a number of bytes", |value| {
            value.parse().ok().map(Fault::long_line)
        }),
    ),
    ("endless-line", Kind::Plain(Fault::endless_line)),
    (
        "garbage",
        Kind::With("bytes", |value| Some(Fault::garbage(unescape(value)))),
    ),
    (
        "torn",
        Kind::With("a number of bytes", |value| {
            value.parse().ok().map(Fault::torn)
        }),
    ),
    (
        "drip",
        Kind::With("bytes, or bytes/time such as 1/10ms", drip),
    ),
    ("close-before", Kind::Plain(Fault::close_before)),
    (
        "close-within",
        Kind::With("a number of bytes", |value| {
            value.parse().ok().map(Fault::close_within)
        }),
    ),
    ("close-after", Kind::Plain(Fault::close_after)),
    ("twice", Kind::Plain(Fault::twice)),
    (
        "wrong-id",
        Kind::With("an id", |value| {
            let id = serde_json::from_str(value);
            Some(Fault::wrong_id(id.unwrap_or_else(|_| Value::from(value))))
        }),
    ),
    ("no-id", Kind::Plain(Fault::no_id)),
    ("no-sentinel", Kind::Plain(Fault::no_sentinel)),
    ("unknown-fields", Kind::Plain(Fault::unknown_fields)),
    ("unknown-values", Kind::Plain(Fault::unknown_values)),
    ("invalid-utf8", Kind::Plain(Fault::invalid_utf8)),
    (
        "deep-nesting",
        Kind::With("a number up to a million", |value| {
            let depth = value.parse().ok().filter(|depth| *depth <= 1_000_000);
            depth.map(Fault::deep_nesting)
        }),
    ),
    ("reset", Kind::Plain(Fault::reset)),
    ("restart", Kind::Plain(Fault::restart)),
];

impl Fault {
    /// The names of the faults that can be parsed from text.
    #[must_use]
    pub fn names() -> Vec<&'static str> {
        FAULTS.iter().map(|(name, _)| *name).collect()
    }
}

impl FromStr for Fault {
    type Err = ParseFaultError;

    fn from_str(text: &str) -> Result<Self, ParseFaultError> {
        let faults: Result<Vec<_>, _> = text.split('+').map(one).collect();
        let joined = faults
            .map_err(ParseFaultError)?
            .into_iter()
            .reduce(Fault::and);
        joined.ok_or_else(|| ParseFaultError("a fault is missing".to_owned()))
    }
}

/// The error for a text that is not a fault. Its message says what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseFaultError(String);

impl fmt::Display for ParseFaultError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ParseFaultError {}

/// A fault and the value that it needs, if it needs one.
fn one(text: &str) -> Result<Fault, String> {
    let (name, value) = match text.split_once('=') {
        Some((name, value)) => (name.trim(), Some(value)),
        None => (text.trim(), None),
    };
    let found = FAULTS.iter().find(|(known, _)| *known == name);
    let Some((_, kind)) = found else {
        let names = Fault::names();
        let hint = hint(name, names.iter().copied());
        let all = names.join(", ");
        return Err(format!(
            "there is no fault `{name}`{hint}; the faults are {all}"
        ));
    };
    match (kind, value) {
        (Kind::Plain(fault), None) => Ok(fault()),
        (Kind::Plain(_), Some(_)) => Err(format!("the fault `{name}` takes no value")),
        (Kind::With(what, _), None) => Err(format!(
            "the fault `{name}` needs a value, {what}, as in `{name}=...`"
        )),
        (Kind::With(what, fault), Some(value)) => {
            fault(value).ok_or_else(|| format!("the fault `{name}` needs {what}, not `{value}`"))
        }
    }
}

fn drip(value: &str) -> Option<Fault> {
    let (bytes, every) = value.split_once('/').unwrap_or((value, "0s"));
    Some(Fault::drip_every(bytes.parse().ok()?, duration(every)?))
}

/// A time such as `500ms`, `2s` or `1.5s`.
fn duration(text: &str) -> Option<Duration> {
    let (number, unit) = match text.strip_suffix("ms") {
        Some(number) => (number, 0.001),
        None => (text.strip_suffix('s')?, 1.0),
    };
    let seconds: f64 = number.trim().parse().ok()?;
    Duration::try_from_secs_f64(seconds * unit).ok()
}

/// Replaces the escapes `\n` and `\xFF` by the bytes that they stand for.
fn unescape(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let hex = rest.strip_prefix("\\x").and_then(|digits| digits.get(..2));
        let byte = hex.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        let (taken, piece) = match byte {
            Some(byte) => (4, vec![byte]),
            None if rest.starts_with("\\n") => (2, vec![b'\n']),
            None => (first.len_utf8(), first.to_string().into_bytes()),
        };
        bytes.extend(piece);
        rest = rest.get(taken..).unwrap_or_default();
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::{Fault, unescape};

    fn effects(text: &str) -> String {
        format!("{:?}", text.parse::<Fault>().unwrap().effects)
    }

    #[test]
    fn faults_are_named_like_their_functions_and_joined_by_a_plus() {
        assert_eq!(effects("torn=5+delay=1500ms"), "[Cut(5), Delay(1.5s)]");
        assert_eq!(effects("drip=2/10ms"), "[Drip(2, 10ms)]");
        assert_eq!(
            effects("wrong-id=7+no-sentinel"),
            "[Id(Some(Number(7))), NoSentinel]"
        );
    }

    #[test]
    fn a_mistake_says_what_is_wrong() {
        let cases = [
            (
                "",
                "there is no fault ``; the faults are no-answer, hang, delay, ",
            ),
            (
                "tron=1",
                "there is no fault `tron` (did you mean `torn`?); the faults are no-answer, ",
            ),
            (
                "twice+no_id",
                "there is no fault `no_id` (did you mean `no-id`?)",
            ),
            (
                "torn",
                "the fault `torn` needs a value, a number of bytes, as in `torn=...`",
            ),
            (
                "torn=x",
                "the fault `torn` needs a number of bytes, not `x`",
            ),
            (
                "torn=-1",
                "the fault `torn` needs a number of bytes, not `-1`",
            ),
            ("twice=2", "the fault `twice` takes no value"),
            (
                "delay=5",
                "the fault `delay` needs a time such as 500ms or 2s, not `5`",
            ),
        ];
        for (text, wanted) in cases {
            let said = text.parse::<Fault>().unwrap_err().to_string();
            assert!(said.starts_with(wanted), "{said}");
        }
    }

    #[test]
    fn bytes_are_written_with_escapes() {
        assert_eq!(unescape("a\\xffb\\n\u{e9}"), b"a\xffb\n\xc3\xa9");
    }
}
