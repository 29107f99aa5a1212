//! A request and a reply as JSON, without I/O.

use std::fmt;
use std::ops::Range;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use super::limits::ReplyLimits;
use crate::command::QgaCommand;
use crate::error::{AgentError, Malformed};
use crate::json::{self, natural, write_arguments};
use crate::text::Hidden;

/// What stands before the id of a request.
const MEMBER: &[u8] = b",\"id\":";
/// Of an id.
const MOST_DIGITS: usize = 20;

/// A request, encoded but for its id.
#[derive(Clone)]
pub(crate) struct Request {
    json: Vec<u8>,
}

/// The arguments may hold what must not be shown.
impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let json = Hidden::bytes(&self.json);
        f.debug_struct("Request").field("json", &json).finish()
    }
}

impl Request {
    /// Encodes a command into an empty buffer.
    pub(crate) fn of<C: QgaCommand>(command: &C, buffer: Vec<u8>) -> serde_json::Result<Self> {
        let arguments = command.arguments();
        Self::encode(
            C::NAME,
            const { is_plain(C::NAME) },
            arguments.as_ref(),
            buffer,
        )
    }

    /// Encodes a command that is known by its name.
    pub(crate) fn new(name: &str, arguments: Option<&impl Serialize>) -> serde_json::Result<Self> {
        Self::encode(name, is_plain(name), arguments, Vec::new())
    }

    /// Arguments that are absent are left out.
    fn encode(
        name: &str,
        is_plain: bool,
        arguments: Option<&impl Serialize>,
        mut json: Vec<u8>,
    ) -> serde_json::Result<Self> {
        json.reserve(128);
        json.extend_from_slice(b"{\"execute\":");
        if is_plain {
            json.push(b'"');
            json.extend_from_slice(name.as_bytes());
            json.push(b'"');
        } else {
            serde_json::to_writer(&mut json, name)?;
        }
        if let Some(arguments) = arguments {
            json.extend_from_slice(b",\"arguments\":");
            write_arguments(&mut json, arguments)?;
        }
        Ok(Self { json })
    }

    /// The request that a line was made of by [`into_line`](Self::into_line).
    pub(crate) fn from_bytes(mut json: Vec<u8>, id: Option<&IdText>) -> Self {
        let end = json.trim_ascii_end().len();
        let tail = id.map_or(1, |id| MEMBER.len() + id.digits().len() + 1);
        json.truncate(end.saturating_sub(tail));
        Self { json }
    }

    /// How long the line is at most that it becomes, in bytes.
    pub(crate) fn line_length(&self) -> usize {
        self.json.len() + MEMBER.len() + MOST_DIGITS + "}\n".len()
    }

    /// How long it is without an id, in bytes.
    pub(crate) fn length(&self) -> usize {
        self.json.len()
    }

    /// The message to send, with the id that the reply will carry.
    pub(crate) fn into_message(mut self, id: Option<&IdText>) -> Vec<u8> {
        if let Some(id) = id {
            self.json.extend_from_slice(MEMBER);
            self.json.extend_from_slice(id.digits());
        }
        self.json.push(b'}');
        self.json
    }

    /// The line to send, with the id that the reply will carry.
    pub(crate) fn into_line(self, id: Option<&IdText>) -> Vec<u8> {
        let mut line = self.into_message(id);
        line.push(b'\n');
        line
    }
}

/// Whether a text is the same within the quotes of JSON.
const fn is_plain(text: &str) -> bool {
    let mut rest = text.as_bytes();
    while let [byte, others @ ..] = rest {
        if !matches!(byte, b' '..=b'~') || matches!(byte, b'"' | b'\\') {
            return false;
        }
        rest = others;
    }
    true
}

/// The digits of an id.
#[derive(Clone, Copy, Debug)]
pub(crate) struct IdText {
    digits: [u8; MOST_DIGITS],
    start: usize,
}

impl IdText {
    pub(crate) fn new(id: u64) -> Self {
        let mut digits = [b'0'; MOST_DIGITS];
        let mut start = digits.len();
        let mut rest = id;
        for (place, digit) in digits.iter_mut().enumerate().rev() {
            *digit = b'0' + u8::try_from(rest % 10).unwrap_or_default();
            start = place;
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        Self { digits, start }
    }

    /// The digits of the next id.
    pub(crate) fn increment(&mut self) {
        for place in (0..self.digits.len()).rev() {
            self.start = self.start.min(place);
            match self.digits.get_mut(place) {
                Some(digit) if *digit == b'9' => *digit = b'0',
                Some(digit) => {
                    *digit += 1;
                    return;
                }
                None => return,
            }
        }
    }

    #[inline]
    pub(crate) fn digits(&self) -> &[u8] {
        self.digits.get(self.start..).unwrap_or_default()
    }
}

/// The id that a reply carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Id {
    /// None: the agent does not echo ids, or could not read the request.
    Absent,
    /// One that a [`Request`] may have had.
    Number(u64),
    /// One that no [`Request`] has.
    Foreign,
}

/// A reply whose payload is not decoded yet.
pub(crate) struct ReplyLine<'a> {
    /// Whose reply it is.
    pub(crate) id: Id,
    /// What the agent returned, or its error.
    pub(crate) result: Result<&'a RawValue, AgentError>,
}

/// What an agent returns may be what must not be shown.
impl fmt::Debug for ReplyLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let result = self.result.as_ref();
        f.debug_struct("ReplyLine")
            .field("id", &self.id)
            .field("result", &result.map(|json| Hidden::bytes(json.get())))
            .finish()
    }
}

/// Members of a reply. An explicit null is a value, not an absence.
#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(rename = "return", borrow, default, deserialize_with = "present")]
    returned: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    error: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    id: Option<&'a RawValue>,
}

fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    value: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(value).map(Some)
}

impl<'a> ReplyLine<'a> {
    /// Reads a line from the agent, or says in which way it is no reply.
    pub(crate) fn parse(line: &'a [u8], limits: &ReplyLimits) -> Result<Self, Malformed> {
        let text = limits.check(line)?;
        let envelope: Envelope<'a> = if text.trim_ascii_start().starts_with('{') {
            json::from_str(text).map_err(|misfit| {
                if misfit.is_broken {
                    Malformed::NotJson
                } else {
                    Malformed::DuplicateMember
                }
            })?
        } else {
            return Err(no_object(text));
        };
        let result = match (envelope.returned, envelope.error) {
            (Some(value), None) => Ok(value),
            (None, Some(error)) => {
                let error = json::from_str(error.get());
                Err(error.map_err(|_| Malformed::BadError)?)
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
    pub(crate) fn parse_tail(line: &'a [u8], limits: &ReplyLimits) -> Option<Self> {
        let starts: [&[u8]; 3] = [b"{\"return\"", b"{\"error\"", b"{\"id\""];
        starts.into_iter().find_map(|start| {
            let at = memchr::memmem::rfind(line, start).filter(|at| *at > 0)?;
            Self::parse(line.get(at..)?, limits).ok()
        })
    }
}

/// The place of X in a reply that is spelt as agents spell a success, `{"return": X, "id": 7}` or the same without
/// spaces, if it has this id. That X is JSON, and that nothing else stands there, is for its decoder to find.
pub(crate) fn split_success(line: &[u8], id: &IdText) -> Option<Range<usize>> {
    const START: &[u8] = b"{\"return\":";

    let rest = line.strip_suffix(b"}")?.strip_suffix(id.digits())?;
    let rest = rest
        .strip_suffix(b", \"id\": ")
        .or_else(|| rest.strip_suffix(MEMBER))?;
    rest.starts_with(START).then_some(START.len()..rest.len())
}

fn no_object(text: &str) -> Malformed {
    if json::is_json(text) {
        Malformed::NotAnObject
    } else {
        Malformed::NotJson
    }
}

#[cfg(test)]
#[path = "message/tests.rs"]
mod tests;
