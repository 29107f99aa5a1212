//! Which request a line answers, without I/O.

use std::ops::Range;

use serde_json::value::RawValue;

use crate::error::{AgentError, Malformed};
use crate::frame::Frame;
use crate::message::{Id, Reply};
use crate::options::Shape;
use crate::sync::Ids;

/// What a line means to the requests in flight.
#[derive(Debug)]
pub(crate) enum Match<'a> {
    /// It answers the request with this id.
    Answer(u64, Result<&'a RawValue, AgentError>),
    /// It answers somebody else, or us long ago.
    Stale,
    /// It is an error that names no request.
    Unattributed(AgentError),
    /// It is no reply.
    Malformed(Malformed),
}

/// Matches a line against the ids in flight, of which the agent answers the first one first.
pub(crate) fn attribute<'a>(
    frame: Frame<'a>,
    ids: Ids,
    in_flight: &Range<u64>,
    shape: Shape,
) -> Match<'a> {
    let reply = match Reply::parse_within(frame.bytes, shape) {
        Ok(reply) => reply,
        Err(reason) => {
            return match Reply::parse_tail_within(frame.bytes, shape) {
                Some(Reply {
                    id: Id::Number(id),
                    result,
                }) if ids == Ids::Echoed && in_flight.contains(&id) => Match::Answer(id, result),
                _ => Match::Malformed(reason),
            };
        }
    };
    match (ids, reply.id) {
        (Ids::Echoed, Id::Number(id)) if in_flight.contains(&id) => Match::Answer(id, reply.result),
        (Ids::Echoed, Id::Absent) => match reply.result {
            Ok(_) => Match::Stale,
            Err(error) => Match::Unattributed(error),
        },
        (Ids::Unknown, Id::Absent) if !frame.delimited => {
            Match::Answer(in_flight.start, reply.result)
        }
        _ => Match::Stale,
    }
}

#[cfg(test)]
#[path = "matching/tests.rs"]
mod tests;
