//! Bytes to lines, without I/O.
//!
//! The agent ends each reply with a newline. A 0xFF byte, which no reply contains, marks the
//! reply to `guest-sync-delimited`: whatever came before it on the line is an older, torn reply.

use std::fmt;
use std::ops::Range;

use crate::text::Hidden;

/// How much a decoder reads at first, in bytes.
const INITIAL: usize = 8 * 1024;

/// One line from the agent.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Frame<'a> {
    /// The line without its newline; where it holds 0xFF, what follows the last one.
    pub(crate) bytes: &'a [u8],
    /// Whether a 0xFF came before [`bytes`](Self::bytes).
    pub(crate) delimited: bool,
}

/// What [`Decoder::advance`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// A whole line: [`Decoder::frame`] shows it.
    Frame,
    /// The line is longer than the limit. The rest of it will be dropped.
    TooLong,
    /// More bytes are needed.
    Incomplete,
}

/// Cuts a stream of bytes into lines.
///
/// Bytes go in through [`spare`](Self::spare) and [`filled`](Self::filled), lines come out through
/// [`advance`](Self::advance) and [`frame`](Self::frame). How the bytes were split when they arrived
/// makes no difference. The memory in use stays below the limit plus one read, and an idle decoder
/// needs none: its buffer is [lent](Self::lend) to it and [taken back](Self::reclaim).
#[derive(Default)]
pub(crate) struct Decoder {
    /// All of it is initialized; `start..end` is in use.
    buffer: Vec<u8>,
    start: usize,
    /// `start..scanned` holds neither a newline nor 0xFF.
    scanned: usize,
    end: usize,
    /// Whether a 0xFF came before `start` on this line.
    delimited: bool,
    /// Whether the rest of this line is to be dropped.
    discarding: bool,
    limit: usize,
    frame: Range<usize>,
    frame_delimited: bool,
    /// How many bytes came before those in the buffer.
    offset: u64,
}

impl fmt::Debug for Frame<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Frame")
            .field("bytes", &Hidden::bytes(self.bytes))
            .field("delimited", &self.delimited)
            .finish()
    }
}

impl fmt::Debug for Decoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decoder").finish_non_exhaustive()
    }
}

impl Decoder {
    /// Gives it a buffer to read into, if it has none.
    #[inline]
    pub(crate) fn lend(&mut self, buffer: impl FnOnce() -> Vec<u8>) {
        if self.buffer.is_empty() {
            self.buffer = buffer();
            let all = self.buffer.capacity();
            self.buffer.resize(all, 0);
        }
    }

    /// Takes the buffer back, if nothing unread is in it. Ends the life of the current frame.
    #[inline]
    pub(crate) fn reclaim(&mut self) -> Option<Vec<u8>> {
        if self.start < self.end || self.buffer.is_empty() {
            return None;
        }
        self.rewind();
        self.frame = 0..0;
        Some(std::mem::take(&mut self.buffer))
    }

    /// Holds a message that came whole as its frame.
    pub(crate) fn set_message(&mut self, message: Vec<u8>) {
        let all = message.len();
        self.buffer = message;
        (self.start, self.scanned, self.end) = (all, all, all);
        self.frame = 0..all;
        self.frame_delimited = false;
    }

    /// How many bytes have been handed out as lines, or dropped.
    #[inline]
    pub(crate) fn position(&self) -> u64 {
        self.offset + self.start as u64
    }

    /// How long the line is that has begun, in bytes.
    pub(crate) fn unfinished(&self) -> usize {
        self.scanned - self.start
    }

    /// Room for the next bytes; never empty. Ends the life of the current frame.
    #[inline]
    pub(crate) fn spare(&mut self) -> &mut [u8] {
        if self.start == self.end {
            self.rewind();
        }
        if self.end == self.buffer.len() {
            if self.start > 0 {
                self.move_to_front();
            } else {
                self.grow();
            }
        }
        self.frame = 0..0;
        self.buffer.get_mut(self.end..).unwrap_or_default()
    }

    /// Takes the first `count` bytes of [`spare`](Self::spare) as received.
    #[inline]
    pub(crate) fn filled(&mut self, count: usize) {
        self.end = self.buffer.len().min(self.end + count);
    }

    /// Looks for the next line, of at most `limit` bytes.
    pub(crate) fn advance(&mut self, limit: usize) -> Progress {
        self.limit = limit;
        self.frame = 0..0;
        if self.is_drained() {
            return Progress::Incomplete;
        }
        loop {
            let unseen = self.buffer.get(self.scanned..self.end).unwrap_or_default();
            let found = memchr::memchr2(b'\n', 0xFF, unseen);
            let at = self.scanned + found.unwrap_or(unseen.len());
            let sentinel = self.buffer.get(at) == Some(&0xFF);
            self.scanned = at;
            if self.discarding {
                self.start = at;
            } else if at - self.start > limit {
                self.start = at;
                self.discarding = true;
                return Progress::TooLong;
            }
            if found.is_none() {
                return Progress::Incomplete;
            }
            let line = self.start..at;
            self.start = at + 1;
            self.scanned = at + 1;
            let dropped = std::mem::take(&mut self.discarding);
            let delimited = std::mem::replace(&mut self.delimited, sentinel);
            if sentinel || dropped || line.is_empty() {
                continue;
            }
            self.frame = line;
            self.frame_delimited = delimited;
            return Progress::Frame;
        }
    }

    /// Whether every byte received has been handed out.
    #[inline]
    pub(crate) fn is_drained(&self) -> bool {
        self.start == self.end && !self.discarding
    }

    /// The line that [`advance`](Self::advance) found last; empty when it found none.
    #[inline]
    pub(crate) fn frame(&self) -> Frame<'_> {
        Frame {
            bytes: self.buffer.get(self.frame.clone()).unwrap_or_default(),
            delimited: self.frame_delimited,
        }
    }

    fn rewind(&mut self) {
        self.offset += self.end as u64;
        (self.start, self.scanned, self.end) = (0, 0, 0);
    }

    fn move_to_front(&mut self) {
        self.buffer.copy_within(self.start..self.end, 0);
        self.offset += self.start as u64;
        self.end -= self.start;
        self.scanned -= self.start;
        self.start = 0;
    }

    /// Doubles the buffer, but not beyond the byte that proves a line too long.
    fn grow(&mut self) {
        let wanted = (self.buffer.len() * 2).min(self.limit.saturating_add(1));
        let size = wanted.max(self.end + INITIAL);
        self.buffer.reserve_exact(size - self.buffer.len());
        self.buffer.resize(size, 0);
    }
}

#[cfg(test)]
#[path = "frame/tests.rs"]
mod tests;
