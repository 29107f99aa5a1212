//! Which request a line answers, and what it says.

use std::ops::Range;

use serde::de::DeserializeOwned;

use super::{Carrier, Event, Session, Ticket};
use crate::command::NoReply;
use crate::error::{AgentError, Error, ErrorKind, Malformed, decode};
use crate::json::Reader;
use crate::protocol::frame::Progress;
use crate::protocol::handshake::Ids;
use crate::protocol::limits::ReplyLimits;
use crate::protocol::matching::{Match, attribute};
use crate::protocol::message::{Id, ReplyLine, split_success};
use crate::protocol::response::{Response, Typed};
use crate::text::shortened;

/// How much of a malformed line an error keeps, in bytes.
const LINE_EXCERPT: usize = 4096;

/// What an error shows instead of a secret.
const WITHHELD: &str = "(withheld: the command deals in secrets)";

/// What answers a request in flight.
#[derive(Debug)]
pub(super) struct Current {
    pub(super) id: u64,
    limits: ReplyLimits,
    answer: Answer,
    /// Whether an event has told of it.
    is_told: bool,
}

#[derive(Debug)]
enum Answer {
    /// The line looks like a success, with what is returned in this place.
    Likely(Range<usize>),
    /// The line is a success.
    Success,
    Error(AgentError),
}

impl Session {
    pub(super) fn poll_replies(&mut self, ids: Ids) -> Option<Event> {
        if self.current.is_some() {
            return self.tell_current();
        }
        if self.carrier == Carrier::Bytes && self.decoder.is_drained() {
            return None;
        }
        let limits = self.pendings.limits()?;
        match self.carrier {
            Carrier::Bytes => match self.decoder.advance(limits.bytes) {
                Progress::Frame => {}
                Progress::Incomplete => return None,
                Progress::TooLong => return self.fail_first(ErrorKind::ReplyTooLong(limits.bytes)),
            },
            Carrier::Messages => {
                if let Some(error) = self.transport_error.take() {
                    return self.fail_message(*error);
                }
                match self.decoder.frame().bytes.len() {
                    0 => return None,
                    length if length > limits.bytes => {
                        return self.fail_first(ErrorKind::ReplyTooLong(limits.bytes));
                    }
                    _ => {}
                }
            }
        }
        self.reply_length = self.decoder.frame().bytes.len();
        self.poll_line(ids, limits)
    }

    fn poll_line(&mut self, ids: Ids, limits: ReplyLimits) -> Option<Event> {
        let frame = self.decoder.frame();
        let current = |id, answer| Current {
            id,
            limits,
            answer,
            is_told: false,
        };
        if ids != Ids::Unknown
            && let Some(first) = self.pendings.first()
            && !first.hopes_for_silence()
            && let Some(payload) = split_success(frame.bytes, &first.id_text)
        {
            self.current = Some(current(first.id, Answer::Likely(payload)));
            return self.tell_current();
        }
        match attribute(frame, ids, &self.pendings, &limits) {
            Match::Answer(id, result) => {
                let answer = result.map_or_else(Answer::Error, |_| Answer::Success);
                self.current = Some(current(id, answer));
                self.tell_current()
            }
            // A transport that pairs messages has given us another's.
            Match::Stale if self.carrier == Carrier::Messages => {
                self.fail_first(ErrorKind::ReplyLost)
            }
            Match::Stale => Some(Event::Passed),
            Match::Unattributed(error) => {
                let error = withheld(error, self.is_first_secret());
                self.fail_first(ErrorKind::Unattributed(error))
            }
            Match::Malformed(reason) => {
                let kind = malformed(reason, frame.bytes, self.is_first_secret());
                self.fail_first(kind)
            }
        }
    }

    /// Tells of the answer that is there, but first of those requests whose answers it shows to be lost.
    fn tell_current(&mut self) -> Option<Event> {
        let current = self.current.as_mut()?;
        let first = self.pendings.first()?;
        let ticket = Ticket(first.id);
        if first.id != current.id {
            let pending = self.pendings.pop_first()?;
            let execution = pending.execution(&self.outgoing);
            let stage = pending.stage(&self.outgoing);
            let error = Error::new(stage, execution, ErrorKind::ReplyLost);
            return Some(Event::Failed(ticket, error));
        }
        current.is_told = true;
        match &current.answer {
            Answer::Success if first.hopes_for_silence() => {
                self.settle();
                Some(Event::NoReply(ticket, NoReply::Replied))
            }
            Answer::Likely(_) | Answer::Success => Some(Event::Reply(ticket)),
            Answer::Error(error) => {
                let error = Error::agent(error.clone());
                self.settle();
                Some(Event::Failed(ticket, error))
            }
        }
    }

    /// Reads the reply that [`Event::Reply`] told of, in one pass where it is spelt as usual.
    pub(crate) fn reply(
        &mut self,
        ticket: Ticket,
        response: &mut dyn Response,
    ) -> Result<(), Error> {
        if self.read_likely(ticket, response).is_some() {
            self.settle();
            return Ok(());
        }
        self.settled_payload(ticket)
            .and_then(|(payload, is_secret)| {
                decode(&payload, is_secret, |reader| response.read(reader))
            })
    }

    /// The same, as what it is read into.
    pub(crate) fn reply_as<R>(&mut self, ticket: Ticket) -> Result<R, Error>
    where
        R: DeserializeOwned + Send,
    {
        let mut response = Typed::new(|_| None);
        let result = self.reply(ticket, &mut response);
        response.take(result)
    }

    /// Reads what is returned, if the line is what it looks like.
    fn read_likely(&self, ticket: Ticket, response: &mut dyn Response) -> Option<()> {
        let current = self.current.as_ref().filter(|it| it.id == ticket.0)?;
        let Answer::Likely(payload) = &current.answer else {
            return None;
        };
        let payload = self.decoder.frame().bytes.get(payload.clone())?;
        // The reply is a level itself.
        let levels = current.limits.depth.checked_sub(1)?;
        let mut reader = Reader::of_received(payload, levels, current.limits.items)?;
        reader.whole(|reader| response.read(reader)).ok()
    }

    /// What is returned, read with care, and whether it is a secret.
    fn settled_payload(&mut self, ticket: Ticket) -> Result<(String, bool), Error> {
        let lost = Error::lost_reply;
        let current = self.current.as_ref().filter(|it| it.id == ticket.0);
        let limits = current.ok_or_else(lost)?.limits;
        let is_secret = self.is_first_secret();
        let line = self.decoder.frame().bytes;
        let reply = match ReplyLine::parse(line, &limits) {
            Ok(reply) => Ok(reply),
            Err(reason) => ReplyLine::parse_tail(line, &limits)
                .filter(|reply| reply.id == Id::Number(ticket.0))
                .ok_or(reason),
        };
        match reply.map(|reply| reply.result) {
            Ok(Ok(value)) => {
                let value = value.get().to_owned();
                self.settle();
                Ok((value, is_secret))
            }
            Ok(Err(error)) => {
                self.settle();
                Err(Error::agent(error))
            }
            Err(reason) => {
                let kind = malformed(reason, line, is_secret);
                self.current = None;
                let pending = self.pendings.pop_first().ok_or_else(lost)?;
                Err(self.fail(&pending, kind))
            }
        }
    }

    /// The first request has had its reply.
    fn settle(&mut self) {
        self.current = None;
        self.pendings.pop_first();
        self.forget_message();
    }

    /// Takes a reply that nobody has decoded for one of which nothing is known.
    pub(super) fn drop_undecoded(&mut self) {
        if let Some(current) = self.current.take_if(|current| current.is_told) {
            self.pendings.take(current.id);
            self.forget_message();
            self.unsynchronize();
        }
    }

    fn forget_message(&mut self) {
        if self.carrier == Carrier::Messages {
            self.decoder.set_message(Vec::new());
        }
    }

    /// Fails the first request: the agent answers in order, so a line that is no reply was to be its.
    fn fail_first(&mut self, kind: ErrorKind) -> Option<Event> {
        let pending = self.pendings.pop_first()?;
        self.forget_message();
        let ticket = Ticket(pending.id);
        Some(Event::Failed(ticket, self.fail(&pending, kind)))
    }

    fn is_first_secret(&self) -> bool {
        self.pendings.first().is_some_and(|first| first.is_secret)
    }
}

/// A parse error quotes the token that the agent stumbled over.
fn withheld(mut error: AgentError, is_secret: bool) -> AgentError {
    if is_secret {
        WITHHELD.clone_into(&mut error.desc);
        "GenericError".clone_into(&mut error.class);
    }
    error
}

fn malformed(reason: Malformed, line: &[u8], is_secret: bool) -> ErrorKind {
    let line = match line {
        _ if is_secret => WITHHELD.to_owned(),
        line => shortened(line, LINE_EXCERPT),
    };
    ErrorKind::Malformed { reason, line }
}
