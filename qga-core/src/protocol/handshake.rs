//! Finding the beginning of the agent's next reply, without I/O.
//!
//! What the channel holds from earlier is not ours: replies that nobody read, half a line, error
//! lines. So we send 0xFF, which resets the agent's parser, and a sync command with a random
//! token. Everything before the reply with that token is dropped.

use super::frame::Frame;
use super::limits::ReplyLimits;
use super::message::{Id, IdText, ReplyLine, split_success};
use super::random::Random;
use crate::error::AgentError;
use crate::json::natural;

/// Of the reply to a sync, which is short; longer lines need not be parsed.
pub(crate) const LIMITS: ReplyLimits = ReplyLimits {
    bytes: 4096,
    ..ReplyLimits::DEFAULT
};

const DELIMITED: &str = "guest-sync-delimited";
const PLAIN: &str = "guest-sync";

/// What the agent does with the `id` of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ids {
    /// It sends it back (QEMU 4.0 and later).
    Echoed,
    /// It takes no notice, or takes offence.
    Unknown,
    /// The transport pairs replies with requests, and may lose the id of a reply.
    Paired,
}

/// What to do after a line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Read on: the line was an old one.
    Wait,
    /// Read on: the line is an error without an id, as an agent sends it for the 0xFF of a sync.
    Stray,
    /// Send [`Handshake::request`] again: it has changed.
    Resend,
    /// The next line belongs to the next request.
    Synced(Ids),
    /// The agent refuses both sync commands.
    Refused(AgentError),
}

/// One synchronization.
#[derive(Debug)]
pub(crate) struct Handshake {
    token: u64,
    command: &'static str,
    with_id: bool,
}

impl Handshake {
    /// A synchronization with a fresh token.
    pub(crate) fn new(random: &mut Random) -> Self {
        Self {
            token: random.token(),
            command: DELIMITED,
            with_id: true,
        }
    }

    /// Takes a new token: only the reply to the last request counts, so that the ones before it
    /// cannot be taken for something else later.
    pub(crate) fn renew(&mut self, random: &mut Random) {
        self.token = random.token();
    }

    /// What to send.
    pub(crate) fn request(&self) -> Vec<u8> {
        let token = IdText::new(self.token);
        let mut request = Vec::with_capacity(128);
        request.extend_from_slice(b"\xFF{\"execute\":\"");
        request.extend_from_slice(self.command.as_bytes());
        request.extend_from_slice(b"\",\"arguments\":{\"id\":");
        request.extend_from_slice(token.digits());
        request.push(b'}');
        if self.with_id {
            request.extend_from_slice(b",\"id\":");
            request.extend_from_slice(token.digits());
        }
        request.extend_from_slice(b"}\n");
        request
    }

    /// Looks at a line from the agent.
    pub(crate) fn receive(&mut self, frame: Frame<'_>, random: &mut Random) -> Step {
        if self.is_plain_reply(frame.bytes) {
            return Step::Synced(Ids::Echoed);
        }
        let Ok(reply) = ReplyLine::parse(frame.bytes, &LIMITS) else {
            return Step::Wait;
        };
        let ours = reply.id == Id::Number(self.token);
        match reply.result {
            Ok(token) if natural(token.get()) == Some(self.token) => match reply.id {
                _ if ours => Step::Synced(Ids::Echoed),
                Id::Absent => Step::Synced(Ids::Unknown),
                // Neither an echo nor the lack of one: to go on without ids would be to trust less.
                Id::Number(_) | Id::Foreign => Step::Wait,
            },
            Err(error) if ours || reply.id == Id::Absent => self.failed(error, ours, random),
            Ok(_) | Err(_) => Step::Wait,
        }
    }

    /// Whether it is the reply with our token, spelt as agents spell it; most are.
    fn is_plain_reply(&self, line: &[u8]) -> bool {
        let token = IdText::new(self.token);
        let returned = split_success(line, &token).and_then(|returned| line.get(returned));
        returned.is_some_and(|it| it.strip_prefix(b" ").unwrap_or(it) == token.digits())
    }

    /// Looks at an error, which may be an old one unless it carries our id.
    fn failed(&mut self, error: AgentError, is_ours: bool, random: &mut Random) -> Step {
        let refused = error.is_command_not_found();
        if self.with_id && !refused && is_offended_at_id(&error.desc) {
            self.with_id = false;
        } else if is_ours || (refused && names(&error.desc, self.command)) {
            if self.command == PLAIN {
                return Step::Refused(error);
            }
            self.command = PLAIN;
        } else if refused && self.command != PLAIN && names_none(&error.desc) {
            // If that was another command, nothing is lost: the plain sync does as well.
            self.command = PLAIN;
        } else {
            return Step::Stray;
        }
        self.renew(random);
        Step::Resend
    }
}

/// Whether a text has this command's name, and not only one that begins with it.
fn names(text: &str, command: &str) -> bool {
    let is_of_name = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_');
    let mut words = text.split(|c| !is_of_name(c));
    words.any(|word| word == command)
}

/// Whether a text does not seem to name a command.
fn names_none(text: &str) -> bool {
    !text.contains(['-', '_', '"', '\''])
}

fn is_offended_at_id(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    let mut words = text.split(|c: char| !c.is_alphanumeric());
    let mut offence = ["unexpected", "unknown", "unrecognized", "unsupported"].into_iter();
    words.any(|word| word == "id") && offence.any(|word| text.contains(word))
}

#[cfg(test)]
#[path = "handshake/tests.rs"]
mod tests;
