//! Finding the beginning of the agent's next reply, without I/O.
//!
//! What the channel holds from earlier is not ours: replies that nobody read, half a line, error
//! lines. So we send 0xFF, which resets the agent's parser, and a sync command with a random
//! token. Everything before the reply with that token is dropped.

use std::hash::{BuildHasher, RandomState};

use crate::error::AgentError;
use crate::frame::Frame;
use crate::message::{Id, Reply};
use crate::number::natural;

/// A sync reply is shorter than this; longer lines need not be parsed.
pub const LINE_LIMIT: usize = 4096;

/// What the agent does with the `id` of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ids {
    /// It sends it back (QEMU 4.0 and later).
    Echoed,
    /// It takes no notice, or takes offence.
    Unknown,
}

/// What to do after a line.
#[derive(Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Step {
    /// Read on: the line was an old one.
    Wait,
    /// Send [`Handshake::request`] again: it has changed.
    Resend,
    /// The next line belongs to the next request.
    Synced(Ids),
    /// The agent has both sync commands disabled.
    Refused(AgentError),
}

/// One synchronization.
#[derive(Debug)]
pub struct Handshake {
    token: u64,
    command: &'static str,
    with_id: bool,
}

impl Default for Handshake {
    fn default() -> Self {
        Self {
            token: random(),
            command: "guest-sync-delimited",
            with_id: true,
        }
    }
}

impl Handshake {
    /// A synchronization with a fresh token.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a new token: only the reply to the last request counts, so that the ones before it
    /// cannot be taken for something else later.
    pub fn renew(&mut self) {
        self.token = random();
    }

    /// What to send.
    #[must_use]
    pub fn request(&self) -> Vec<u8> {
        let Self { token, command, .. } = self;
        let mut request = vec![0xFF];
        request.extend_from_slice(
            format!(r#"{{"execute":"{command}","arguments":{{"id":{token}}}"#).as_bytes(),
        );
        if self.with_id {
            request.extend_from_slice(format!(r#","id":{token}"#).as_bytes());
        }
        request.extend_from_slice(b"}\n");
        request
    }

    /// Looks at a line from the agent.
    pub fn receive(&mut self, frame: Frame<'_>) -> Step {
        let Ok(reply) = Reply::parse(frame.bytes) else {
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
            Err(error) if ours || reply.id == Id::Absent => self.refused(error),
            Ok(_) | Err(_) => Step::Wait,
        }
    }

    fn refused(&mut self, error: AgentError) -> Step {
        if error.is_command_not_found() && error.desc.contains(&format!(" {} ", self.command)) {
            if self.command == "guest-sync" {
                return Step::Refused(error);
            }
            self.command = "guest-sync";
        } else if self.with_id && error.desc.contains("'id' is unexpected") {
            self.with_id = false;
        } else {
            return Step::Wait;
        }
        self.renew();
        Step::Resend
    }
}

/// A number that nobody can guess and every JSON reader keeps exactly.
pub(crate) fn random() -> u64 {
    (RandomState::new().hash_one(()) >> 11).max(1)
}

#[cfg(test)]
#[path = "sync/tests.rs"]
mod tests;
