//! The requests and replies of a real agent, recorded in a file, and the player that answers from it.

use std::fmt;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use crate::wire::request::excerpt;

mod names;
mod order;
mod player;
mod scrub;

pub(crate) use player::Player;
pub(crate) use scrub::scrub;

/// What a real agent was asked and what it answered, as `qga-testserver record` has written it.
///
/// A cassette is a file of JSON Lines. The first line is `{"cassette": 1}`. Each other line has a
/// `request` and its `reply`, which is null if none came. Syncs are not recorded.
///
/// A replay need not repeat what differs from one run of the same client to the next:
///
/// - **Random names**, such as those of temporary files. A random name is a run of 16 or 32
///   hexadecimal digits, or a UUID, in any text of a request. If the client sent a name first, it may
///   send any other name of the same kind in a replay, as long as it always sends the same one for it;
///   replies then contain the new name. If the guest told a name first, it stays as it is.
/// - **Polling.** It does not matter how often a program was still running, or a file had nothing more
///   to read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cassette {
    exchanges: Vec<Exchange>,
}

/// A request and its reply.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Exchange {
    /// The number of its line in the file.
    pub(crate) line: usize,
    pub(crate) command: String,
    /// The arguments, or null.
    pub(crate) arguments: Value,
    pub(crate) reply: Option<RecordedReply>,
}

/// What an agent answered.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum RecordedReply {
    Return(Value),
    Error { class: String, text: String },
}

/// The error for a cassette that cannot be played. Its message names the file, the line and the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CassetteError {
    file: PathBuf,
    line: usize,
    problem: String,
}

impl fmt::Display for CassetteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = self.file.display();
        match self.line {
            0 => write!(f, "{file}: {}", self.problem),
            line => write!(f, "{file}:{line}: {}", self.problem),
        }
    }
}

impl std::error::Error for CassetteError {}

/// The version of the format.
const VERSION: u64 = 1;

impl Cassette {
    /// Reads a cassette from a file.
    ///
    /// # Errors
    ///
    /// When the file cannot be read or is not a cassette.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, CassetteError> {
        let file = path.as_ref();
        let wrong = |line, problem| CassetteError {
            file: file.to_owned(),
            line,
            problem,
        };
        let text = std::fs::read_to_string(file)
            .map_err(|error| wrong(0, format!("cannot be read: {error}")))?;
        let mut exchanges = Vec::new();
        for (number, line) in (1..).zip(text.lines()) {
            match number {
                1 => check_header(line).map_err(|problem| wrong(1, problem))?,
                _ if line.trim().is_empty() => {}
                _ => {
                    let exchange = exchange(line).map_err(|problem| wrong(number, problem))?;
                    exchanges.push(Exchange {
                        line: number,
                        ..exchange
                    });
                }
            }
        }
        if text.is_empty() {
            return Err(wrong(1, "cassette: the file is empty".into()));
        }
        Ok(Self { exchanges })
    }

    /// Returns how many requests the cassette has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.exchanges.len()
    }

    /// Whether the cassette has no requests.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.exchanges.is_empty()
    }
}

/// The first line of a file.
#[cfg(feature = "cli")]
pub(crate) fn header() -> String {
    serde_json::json!({"cassette": VERSION}).to_string()
}

impl fmt::Display for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = self.line;
        match &self.arguments {
            Value::Null => write!(f, "{} (line {line})", self.command),
            arguments => write!(f, "{} {} (line {line})", self.command, excerpt(arguments)),
        }
    }
}

#[cfg(feature = "cli")]
impl Exchange {
    /// Its line in a file.
    pub(crate) fn written(&self) -> String {
        let mut request = Map::new();
        request.insert("execute".into(), self.command.as_str().into());
        if !self.arguments.is_null() {
            request.insert("arguments".into(), self.arguments.clone());
        }
        let reply = match &self.reply {
            None => Value::Null,
            Some(RecordedReply::Return(value)) => serde_json::json!({"return": value}),
            Some(RecordedReply::Error { class, text }) => {
                serde_json::json!({"error": {"class": class, "desc": text}})
            }
        };
        serde_json::json!({"request": request, "reply": reply}).to_string()
    }
}

fn check_header(line: &str) -> Result<(), String> {
    match object(line)?.get("cassette") {
        Some(version) if *version == VERSION => Ok(()),
        Some(version) => Err(format!("cassette: {version} is not a known version")),
        None => Err("cassette: is missing; the first line must be {\"cassette\": 1}".into()),
    }
}

fn exchange(line: &str) -> Result<Exchange, String> {
    let mut members = object(line)?;
    let request = members.remove("request").ok_or("request: is missing")?;
    let reply = members.remove("reply").ok_or("reply: is missing")?;
    none_left(&members, "")?;
    let Value::Object(mut request) = request else {
        return Err("request: must be an object".into());
    };
    let Some(Value::String(command)) = request.remove("execute") else {
        return Err("request.execute: must be a string".into());
    };
    let arguments = request.remove("arguments").unwrap_or_default();
    if !(arguments.is_object() || arguments.is_null()) {
        return Err("request.arguments: must be an object".into());
    }
    none_left(&request, "request.")?;
    let reply = reply_of(reply)?;
    Ok(Exchange {
        line: 0,
        command,
        arguments,
        reply,
    })
}

/// Reads a reply. Its `id` does not matter.
pub(crate) fn reply_of(reply: Value) -> Result<Option<RecordedReply>, String> {
    let mut reply = match reply {
        Value::Null => return Ok(None),
        Value::Object(reply) => reply,
        _ => return Err("reply: must be an object or null".into()),
    };
    if let Some(value) = reply.remove("return") {
        return Ok(Some(RecordedReply::Return(value)));
    }
    let error = reply
        .remove("error")
        .ok_or("reply: has neither return nor error")?;
    let member = |name: &str| {
        let text = error.get(name).and_then(Value::as_str);
        text.map(str::to_owned)
            .ok_or_else(|| format!("reply.error.{name}: must be a string"))
    };
    Ok(Some(RecordedReply::Error {
        class: member("class")?,
        text: member("desc")?,
    }))
}

fn object(line: &str) -> Result<Map<String, Value>, String> {
    match serde_json::from_str(line) {
        Ok(Value::Object(members)) => Ok(members),
        Ok(_) => Err("must be an object".into()),
        Err(error) => Err(format!("column {}: is not JSON: {error}", error.column())),
    }
}

fn none_left(members: &Map<String, Value>, path: &str) -> Result<(), String> {
    match members.keys().next() {
        Some(name) => Err(format!("{path}{name}: is not a known key")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
