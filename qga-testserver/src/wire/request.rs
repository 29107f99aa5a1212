//! A request that has arrived, and the log of them.

use std::collections::VecDeque;
use std::fmt;
use std::iter;
use std::sync::Arc;

use serde_json::Value;

/// A request that the agent has carried out or answered with an error.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct Request {
    /// The name of the command: the value of `execute`.
    pub name: String,
    /// The arguments, or `Value::Null` if the request has none.
    pub arguments: Value,
    /// The request's `id`, if it has one.
    pub id: Option<Value>,
    /// The bytes of the request from its first brace to its last one, but at most the first 64 KiB.
    pub raw: Vec<u8>,
}

/// How many requests are kept at most.
const COUNT_LIMIT: usize = 100_000;
/// How many bytes the kept requests may take.
const COST_LIMIT: usize = 128 << 20;

/// How many requests a message shows at most.
const SUMMARY_LENGTH: usize = 50;

/// Shows a JSON value in one line of a message, and of a long one only its beginning and its end.
pub(crate) fn excerpt(value: &Value) -> String {
    const BEGINNING: usize = 120;
    const END: usize = 80;
    let text = value.to_string();
    let mut characters = text.char_indices();
    let (Some((middle, _)), Some((end, _))) =
        (characters.nth(BEGINNING), characters.nth_back(END - 1))
    else {
        return text;
    };
    let beginning = text.get(..middle).unwrap_or_default();
    let ending = text.get(end..).unwrap_or_default();
    let left_out = end - middle;
    let bytes = if left_out == 1 { "byte" } else { "bytes" };
    format!("{beginning}... ({left_out} {bytes} left out) ...{ending}")
}

/// Shows the command and its arguments, such as `guest-exec {"path":"ls"}`; long arguments are shortened.
impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.arguments {
            Value::Null => f.write_str(&self.name),
            arguments => write!(f, "{} {}", self.name, excerpt(arguments)),
        }
    }
}

/// Shows JSON as JSON, and bytes as text.
impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = self.id.as_ref().map_or("none".into(), Value::to_string);
        f.debug_struct("Request")
            .field("name", &self.name)
            .field("arguments", &format_args!("{}", self.arguments))
            .field("id", &format_args!("{id}"))
            .field("raw", &format_args!("b\"{}\"", self.raw.escape_ascii()))
            .finish()
    }
}

/// The latest requests, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Log {
    requests: VecDeque<(Arc<Request>, usize)>,
    cost: usize,
}

impl Log {
    /// Keeps a request that takes this many bytes, and forgets the oldest ones when there are too many.
    pub(crate) fn add(&mut self, request: Arc<Request>, cost: usize) {
        self.cost += cost;
        self.requests.push_back((request, cost));
        while self.requests.len() > COUNT_LIMIT
            || (self.cost > COST_LIMIT && self.requests.len() > 1)
        {
            if let Some((_, cost)) = self.requests.pop_front() {
                self.cost -= cost;
            }
        }
    }

    /// The requests, oldest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Request> {
        self.requests.iter().map(|(request, _)| &**request)
    }

    /// The latest requests, one a line.
    pub(crate) fn summary(&self) -> String {
        let count = self.requests.len();
        let earlier = count.saturating_sub(SUMMARY_LENGTH);
        let heading = match (count, earlier) {
            (0, _) => "no requests have arrived".to_owned(),
            (_, 0) => "requests that have arrived:".to_owned(),
            _ => format!("the latest {SUMMARY_LENGTH} of {count} requests that have arrived:"),
        };
        let latest = self.iter().skip(earlier).map(Request::to_string);
        let lines: Vec<_> = iter::once(heading).chain(latest).collect();
        lines.join("\n  ")
    }
}

#[cfg(test)]
mod tests {
    use super::{Arc, COST_LIMIT, Log, Request, Value, excerpt};

    fn request(name: &str) -> Arc<Request> {
        let (arguments, raw) = (Value::Null, Vec::new());
        Arc::new(Request {
            name: name.into(),
            arguments,
            id: None,
            raw,
        })
    }

    #[test]
    fn the_oldest_requests_are_forgotten_when_they_are_too_large_together() {
        let mut log = Log::default();
        log.add(request("first"), COST_LIMIT / 2);
        log.add(request("second"), COST_LIMIT / 2);
        assert_eq!(log.iter().count(), 2);
        log.add(request("third"), COST_LIMIT * 2);
        let names: Vec<_> = log.iter().map(|request| request.name.as_str()).collect();
        assert_eq!(names, ["third"]);
    }

    #[test]
    fn of_long_arguments_the_beginning_and_the_end_are_shown() {
        let short = Value::from("\u{e9}".repeat(198));
        assert_eq!(excerpt(&short), short.to_string());
        let shown = excerpt(&Value::from(format!(
            "first{}last",
            "\u{e9}".repeat(10_000)
        )));
        assert!(shown.starts_with("\"first\u{e9}"), "{shown}");
        assert!(
            shown.ends_with("\u{e9}last\"") && shown.len() < 500,
            "{shown}"
        );
        for (length, left_out) in [(199, "(1 byte left out)"), (200, "(2 bytes left out)")] {
            let shown = excerpt(&Value::from("x".repeat(length)));
            assert!(shown.contains(left_out), "{shown}");
        }
    }
}
