//! What is to be written, and how far the writing has come.

use std::fmt;

/// The bytes that are to be written to a stream. Each byte has a position, counted from the first
/// that was ever pushed, so that a request knows how much of it has gone out.
#[derive(Default)]
pub(crate) struct Outgoing {
    bytes: Vec<u8>,
    /// How many of `bytes` are written.
    written: usize,
    /// The position of the first of `bytes`.
    start: u64,
    is_flushed: bool,
}

/// The bytes may hold what must not be shown.
impl fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outgoing").finish_non_exhaustive()
    }
}

impl Outgoing {
    pub(crate) fn new() -> Self {
        Self {
            is_flushed: true,
            ..Self::default()
        }
    }

    /// Puts a line behind those that are still to be written; returns the position of its first byte.
    #[inline]
    pub(crate) fn push(&mut self, line: Vec<u8>) -> u64 {
        let position = self.end();
        if self.bytes.is_empty() {
            self.bytes = line;
        } else {
            self.bytes.extend_from_slice(&line);
        }
        self.is_flushed = false;
        position
    }

    /// What is still to be written.
    #[inline]
    pub(crate) fn unwritten(&self) -> &[u8] {
        self.bytes.get(self.written..).unwrap_or_default()
    }

    #[inline]
    pub(crate) fn advance(&mut self, count: usize) {
        self.written = self.bytes.len().min(self.written + count);
    }

    /// Takes it as known that all that was written has left for the other side.
    #[inline]
    pub(crate) fn flushed(&mut self) {
        if self.written == self.bytes.len() {
            self.is_flushed = true;
            self.clear();
        }
    }

    /// Whether all is written and flushed.
    #[inline]
    pub(crate) fn is_flushed(&self) -> bool {
        self.is_flushed
    }

    /// How far the writing has come: the position of the next byte to be written.
    #[inline]
    pub(crate) fn position(&self) -> u64 {
        self.start + self.written as u64
    }

    /// The position behind the last byte.
    #[inline]
    pub(crate) fn end(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }

    /// Forgets what is still to be written.
    pub(crate) fn clear(&mut self) {
        self.start = self.end();
        self.written = 0;
        self.is_flushed = true;
        self.bytes.clear();
    }

    /// Takes the buffer, if nothing is to be written.
    #[inline]
    pub(crate) fn reclaim(&mut self) -> Option<Vec<u8>> {
        self.bytes
            .is_empty()
            .then(|| std::mem::take(&mut self.bytes))
    }

    /// Forgets what stands at `position` and behind it, of which nothing may be written yet.
    pub(crate) fn truncate(&mut self, position: u64) {
        let kept = usize::try_from(position.saturating_sub(self.start)).unwrap_or(usize::MAX);
        self.bytes.truncate(kept.max(self.written));
        if self.bytes.is_empty() {
            self.is_flushed = true;
        }
    }

    /// A copy of what stands between two positions.
    pub(crate) fn copy(&self, start: u64, end: u64) -> Option<Vec<u8>> {
        let index = |position: u64| usize::try_from(position.checked_sub(self.start)?).ok();
        let bytes = self.bytes.get(index(start)?..index(end)?)?;
        Some(bytes.to_vec())
    }

    /// Takes all of it at once, as written and flushed.
    pub(crate) fn take(&mut self) -> Vec<u8> {
        let bytes = std::mem::take(&mut self.bytes);
        self.start += bytes.len() as u64;
        self.written = 0;
        self.is_flushed = true;
        bytes
    }
}

#[cfg(test)]
mod tests;
