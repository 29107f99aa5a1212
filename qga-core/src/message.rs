//! A request and a reply as JSON, without I/O.

use std::fmt;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use crate::error::{AgentError, Malformed};
use crate::number::natural;
use crate::options::Shape;
use crate::{Hidden, QgaCommand};

/// How deep a reply may nest unless [set](crate::Options::depth_limit). The agent's own replies stay below ten.
pub const DEPTH_LIMIT: usize = 100;

/// A request, encoded but for its id.
pub struct Request {
    json: Vec<u8>,
}

impl Request {
    /// Encodes a command.
    ///
    /// # Errors
    ///
    /// When the arguments do not serialize.
    pub fn new<C: QgaCommand>(command: &C) -> serde_json::Result<Self> {
        Self::open(C::NAME, command.arguments().as_ref())
    }

    /// Encodes a command whose type is not known when the program is compiled. Arguments that
    /// serialize as null are left out.
    ///
    /// # Errors
    ///
    /// When the arguments do not serialize.
    pub fn raw(name: &str, arguments: &serde_json::Value) -> serde_json::Result<Self> {
        Self::open(
            name,
            Some(arguments).filter(|arguments| !arguments.is_null()),
        )
    }

    fn open(name: &str, arguments: Option<&impl Serialize>) -> serde_json::Result<Self> {
        let mut json = Vec::with_capacity(128);
        json.extend_from_slice(b"{\"execute\":");
        serde_json::to_writer(&mut json, name)?;
        if let Some(arguments) = arguments {
            json.extend_from_slice(b",\"arguments\":");
            serde_json::to_writer(&mut json, arguments)?;
        }
        Ok(Self { json })
    }

    /// The line to send, with the id that the reply will carry.
    #[must_use]
    pub fn into_line(mut self, id: Option<u64>) -> Vec<u8> {
        if let Some(id) = id {
            self.json.extend_from_slice(b",\"id\":");
            self.json.extend_from_slice(id.to_string().as_bytes());
        }
        self.json.extend_from_slice(b"}\n");
        self.json
    }
}

/// The arguments may hold what must not be shown.
impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let json = Hidden::bytes(&self.json);
        f.debug_struct("Request").field("json", &json).finish()
    }
}

/// The id that a reply carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Id {
    /// None: the agent does not echo ids, or could not read the request.
    Absent,
    /// One that a [`Request`] may have had.
    Number(u64),
    /// One that no [`Request`] has.
    Foreign,
}

/// A reply whose payload is not decoded yet.
pub struct Reply<'a> {
    /// Whose reply it is.
    pub id: Id,
    /// What the agent returned, or its error.
    pub result: Result<&'a RawValue, AgentError>,
}

/// What an agent returns may be what must not be shown.
impl fmt::Debug for Reply<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let result = self.result.as_ref();
        f.debug_struct("Reply")
            .field("id", &self.id)
            .field("result", &result.map(|json| Hidden::bytes(json.get())))
            .finish()
    }
}

/// Members of a reply. An explicit null is a value, not an absence.
#[derive(Deserialize)]
#[serde(bound = "V: Deserialize<'de>, O: Deserialize<'de>")]
struct Envelope<V, O> {
    #[serde(rename = "return", default, deserialize_with = "present")]
    returned: Option<V>,
    #[serde(default, deserialize_with = "present")]
    error: Option<O>,
    #[serde(default, deserialize_with = "present")]
    id: Option<O>,
}

fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    value: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(value).map(Some)
}

/// Reads, in one pass, the reply that nearly always comes: a success with an id and a value of the
/// type that was asked for. For all others [`Reply::parse`] knows what they are.
pub(crate) fn parse_expected<R: DeserializeOwned>(line: &[u8], shape: Shape) -> Option<(u64, R)> {
    let text = bounded_text(line, shape).ok()?;
    if !text.starts_with('{') {
        return None;
    }
    let envelope: Envelope<R, u64> = serde_json::from_str(text).ok()?;
    match (envelope.returned, envelope.error, envelope.id) {
        (Some(value), None, Some(id)) => Some((id, value)),
        _ => None,
    }
}

/// The line as text that is safe to give to a recursive parser.
fn bounded_text(line: &[u8], shape: Shape) -> Result<&str, Malformed> {
    let text = std::str::from_utf8(line).map_err(|_| Malformed::NotUtf8)?;
    if nests_deeper_than(shape.depth, line) {
        return Err(Malformed::TooDeep);
    }
    if has_more_items_than(shape.items, line) {
        return Err(Malformed::TooManyItems);
    }
    Ok(text)
}

impl<'a> Reply<'a> {
    /// Reads a line from the agent.
    ///
    /// # Errors
    ///
    /// When the line is no reply; the value says in which way. The limits are those of
    /// [`Options::new`](crate::Options::new).
    pub fn parse(line: &'a [u8]) -> Result<Self, Malformed> {
        Self::parse_within(line, Shape::DEFAULT)
    }

    pub(crate) fn parse_within(line: &'a [u8], shape: Shape) -> Result<Self, Malformed> {
        let text = bounded_text(line, shape)?;
        let envelope: Envelope<&RawValue, &RawValue> = if text.trim_ascii_start().starts_with('{') {
            serde_json::from_str(text).map_err(|error| match error.classify() {
                serde_json::error::Category::Data => Malformed::DuplicateMember,
                _ => Malformed::NotJson,
            })?
        } else {
            return Err(no_object(text));
        };
        let result = match (envelope.returned, envelope.error) {
            (Some(value), None) => Ok(value),
            (None, Some(error)) => {
                Err(serde_json::from_str(error.get()).map_err(|_| Malformed::BadError)?)
            }
            (None, None) => return Err(Malformed::NoReturnOrError),
            (Some(_), Some(_)) => return Err(Malformed::ReturnAndError),
        };
        let id = envelope.id.map_or(Id::Absent, |id| {
            natural(id.get()).map_or(Id::Foreign, Id::Number)
        });
        Ok(Self { id, result })
    }

    /// Finds a whole reply glued to the end of a torn one, as an agent leaves it that was killed
    /// while it wrote: `{"return": "QUJD{"return": {}, "id": 7}`.
    #[must_use]
    pub fn parse_tail(line: &'a [u8]) -> Option<Self> {
        Self::parse_tail_within(line, Shape::DEFAULT)
    }

    pub(crate) fn parse_tail_within(line: &'a [u8], shape: Shape) -> Option<Self> {
        let starts: [&[u8]; 3] = [b"{\"return\"", b"{\"error\"", b"{\"id\""];
        starts.into_iter().find_map(|start| {
            let at = memchr::memmem::rfind(line, start).filter(|at| *at > 0)?;
            Self::parse_within(line.get(at..)?, shape).ok()
        })
    }
}

fn no_object(text: &str) -> Malformed {
    match serde_json::from_str::<serde::de::IgnoredAny>(text) {
        Ok(_) => Malformed::NotAnObject,
        Err(_) => Malformed::NotJson,
    }
}

/// Whether brackets nest deeper than `limit`, in text that may not be JSON.
fn nests_deeper_than(limit: usize, text: &[u8]) -> bool {
    if text.len() <= limit || memchr::memchr2_iter(b'{', b'[', text).count() <= limit {
        return false;
    }
    let mut depth = 0_usize;
    let mut rest = text.iter();
    while let Some(byte) = rest.next() {
        match byte {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            b'"' => skip_string(&mut rest),
            _ => {}
        }
        if depth > limit {
            return true;
        }
    }
    false
}

/// Whether a list or an object has more than `limit` items, in text that may not be JSON and nests
/// no deeper than a bounded number of levels.
fn has_more_items_than(limit: usize, text: &[u8]) -> bool {
    if text.len() / 2 < limit || memchr::memchr_iter(b',', text).count() < limit {
        return false;
    }
    // Commas at each level; the reply's own members, at level one, are not counted.
    let mut counts = vec![0_usize];
    let mut rest = text.iter();
    while let Some(byte) = rest.next() {
        match byte {
            b'{' | b'[' => counts.push(0),
            b'}' | b']' => drop(counts.pop()),
            b'"' => skip_string(&mut rest),
            b',' if counts.len() > 2 => {
                if let Some(commas) = counts.last_mut() {
                    *commas += 1;
                    if *commas >= limit {
                        return true;
                    }
                }
            }
            _ => {}
        }
    }
    false
}

fn skip_string(rest: &mut std::slice::Iter<'_, u8>) {
    while let Some(at) = memchr::memchr2(b'"', b'\\', rest.as_slice()) {
        if rest.nth(at) == Some(&b'"') {
            return;
        }
        rest.next();
    }
    *rest = [].iter();
}

#[cfg(test)]
#[path = "message/tests.rs"]
mod tests;
