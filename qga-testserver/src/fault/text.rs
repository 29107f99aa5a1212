use std::str::FromStr;
use std::time::Duration;

use serde_json::Value;

use super::Fault;

impl FromStr for Fault {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let faults: Result<Vec<_>, _> = text.split('+').map(one).collect();
        let joined = faults?.into_iter().reduce(Fault::and);
        joined.ok_or_else(|| "a fault is missing".to_owned())
    }
}

/// A fault and the value that it needs, if it needs one.
fn one(text: &str) -> Result<Fault, String> {
    let (name, value) = match text.split_once('=') {
        Some((name, value)) => (name.trim(), Some(value)),
        None => (text.trim(), None),
    };
    if let Some(fault) = plain(name) {
        return match value {
            None => Ok(fault),
            Some(_) => Err(format!("the fault `{name}` takes no value")),
        };
    }
    let value = value.ok_or_else(|| {
        if NAMED_WITH_VALUE.contains(&name) {
            format!("the fault `{name}` needs a value, as in `{name}=...`")
        } else {
            format!("there is no fault `{name}`")
        }
    })?;
    with_value(name, value)
}

fn plain(name: &str) -> Option<Fault> {
    Some(match name {
        "no-answer" => Fault::no_answer(),
        "hang" => Fault::hang(),
        "endless-lines" => Fault::endless_lines(),
        "endless-line" => Fault::endless_line(),
        "close-before" => Fault::close_before(),
        "close-after" => Fault::close_after(),
        "twice" => Fault::twice(),
        "no-id" => Fault::no_id(),
        "no-sentinel" => Fault::no_sentinel(),
        "unknown-fields" => Fault::unknown_fields(),
        "unknown-values" => Fault::unknown_values(),
        "invalid-utf8" => Fault::invalid_utf8(),
        "restart" => Fault::restart(),
        "reset" => Fault::reset(),
        _ => return None,
    })
}

const NAMED_WITH_VALUE: [&str; 10] = [
    "delay",
    "bytes-first",
    "lines-first",
    "long-line",
    "garbage",
    "torn",
    "drip",
    "close-within",
    "wrong-id",
    "deep-nesting",
];

fn with_value(name: &str, value: &str) -> Result<Fault, String> {
    let wrong = |what: &str| format!("the fault `{name}` needs {what}, not `{value}`");
    let number = || value.parse().map_err(|_| wrong("a number of bytes"));
    let size = || value.parse().map_err(|_| wrong("a number"));
    Ok(match name {
        "delay" => {
            let time = duration(value).ok_or_else(|| wrong("a time such as 500ms or 2s"))?;
            Fault::delay(time)
        }
        "bytes-first" => Fault::bytes_first(unescape(value)),
        "lines-first" => Fault::lines_first(number()?),
        "long-line" => Fault::long_line(number()?),
        "garbage" => Fault::garbage(unescape(value)),
        "torn" => Fault::torn(size()?),
        "close-within" => Fault::close_within(size()?),
        "deep-nesting" => Fault::deep_nesting(size()?),
        "drip" => drip(value).ok_or_else(|| wrong("bytes, or bytes/time such as 1/10ms"))?,
        "wrong-id" => {
            let id = serde_json::from_str(value);
            Fault::wrong_id(id.unwrap_or_else(|_| Value::from(value)))
        }
        _ => return Err(format!("there is no fault `{name}`")),
    })
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

/// `\n` and `\xFF` stand for what they stand for elsewhere.
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
            ("", "there is no fault ``"),
            ("tron=1", "there is no fault `tron`"),
            ("torn", "the fault `torn` needs a value, as in `torn=...`"),
            ("torn=x", "the fault `torn` needs a number, not `x`"),
            ("twice=2", "the fault `twice` takes no value"),
            (
                "delay=5",
                "the fault `delay` needs a time such as 500ms or 2s, not `5`",
            ),
        ];
        for (text, wanted) in cases {
            assert_eq!(text.parse::<Fault>().unwrap_err(), wanted);
        }
    }

    #[test]
    fn bytes_are_written_with_escapes() {
        assert_eq!(unescape("a\\xffb\\n\u{e9}"), b"a\xffb\n\xc3\xa9");
    }
}
