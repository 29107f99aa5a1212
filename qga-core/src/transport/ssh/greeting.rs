//! What the other host's shell says first, which may come after words of its own start-up files.

use std::io::{Error, ErrorKind, Result};

use crate::error::Reason;
use crate::text::Excerpt;
use crate::transport::line::Line;

pub(super) const READY: &str = "QGA READY";
pub(super) const NO_PROGRAM: &str = "QGA NO PROGRAM";

/// How long a line may be, in bytes, and how many may come before ours.
const LONGEST: usize = 1024;
const LINES: usize = 200;

#[derive(Debug, PartialEq)]
pub(super) enum Answer {
    /// What follows comes from the socket, or from whatever else was started.
    Ready,
    /// There is no program that could connect to the socket.
    NoProgram,
}

pub(super) struct Greeting {
    line: Line,
    lines: usize,
    /// The last line that was passed over.
    passed: String,
}

impl Greeting {
    pub(super) fn new() -> Self {
        Self {
            line: Line::new(LONGEST),
            lines: 0,
            passed: String::new(),
        }
    }

    /// Takes the next byte, which may complete the answer.
    pub(super) fn push(&mut self, byte: u8) -> Result<Option<Answer>> {
        self.line.push(byte);
        if self.line.wants_more() {
            return Ok(None);
        }
        let text = self.line.text();
        match text.as_str() {
            READY => return Ok(Some(Answer::Ready)),
            NO_PROGRAM => return Ok(Some(Answer::NoProgram)),
            "" => {}
            _ => self.passed = text,
        }
        self.line = Line::new(LONGEST);
        self.lines += 1;
        if self.lines < LINES {
            return Ok(None);
        }
        let words = "the other host's shell says more than it should before the channel is open";
        Err(Reason::error(ErrorKind::InvalidData, words))
    }

    /// The same error with what the other host has said last, which may explain it.
    pub(super) fn explain(&self, error: Error) -> Error {
        if self.passed.is_empty() || error.kind() == ErrorKind::TimedOut {
            return error;
        }
        let words = format!("{error}; the other host says: {}", Excerpt(&self.passed));
        Reason::error(error.kind(), words)
    }
}
