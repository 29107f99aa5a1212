//! Which request a line answers, without I/O.

use serde_json::value::RawValue;

use super::frame::Frame;
use super::handshake::Ids;
use super::limits::ReplyLimits;
use super::message::{Id, ReplyLine};
use crate::error::{AgentError, Malformed};

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

/// The ids of the requests that were sent and are not answered, in their order.
pub(crate) trait InFlight {
    fn first(&self) -> Option<u64>;
    fn contains(&self, id: u64) -> bool;
}

/// Matches a line against the requests in flight, of which the agent answers the first one first.
pub(crate) fn attribute<'a>(
    frame: Frame<'a>,
    ids: Ids,
    in_flight: &impl InFlight,
    limits: &ReplyLimits,
) -> Match<'a> {
    let reply = match ReplyLine::parse(frame.bytes, limits) {
        Ok(reply) => reply,
        Err(reason) => {
            return match ReplyLine::parse_tail(frame.bytes, limits) {
                Some(ReplyLine {
                    id: Id::Number(id),
                    result,
                }) if ids == Ids::Echoed && in_flight.contains(id) => Match::Answer(id, result),
                _ => Match::Malformed(reason),
            };
        }
    };
    match (ids, reply.id) {
        (Ids::Echoed | Ids::Paired, Id::Number(id)) if in_flight.contains(id) => {
            Match::Answer(id, reply.result)
        }
        (Ids::Echoed, Id::Absent) => match reply.result {
            Ok(_) => Match::Stale,
            Err(error) => Match::Unattributed(error),
        },
        (Ids::Unknown | Ids::Paired, Id::Absent) if !frame.delimited => match in_flight.first() {
            Some(first) => Match::Answer(first, reply.result),
            None => Match::Stale,
        },
        _ => Match::Stale,
    }
}

#[cfg(test)]
#[path = "matching/tests.rs"]
mod tests;
