//! One line, of which nothing behind its end is read.

/// The first line of a stream that goes on with something else, read byte by byte.
pub(super) struct Line {
    bytes: Vec<u8>,
    longest: usize,
    is_whole: bool,
}

impl Line {
    pub(super) fn new(longest: usize) -> Self {
        Self {
            bytes: Vec::new(),
            longest,
            is_whole: false,
        }
    }

    pub(super) fn wants_more(&self) -> bool {
        !self.is_whole && self.bytes.len() < self.longest
    }

    pub(super) fn push(&mut self, byte: u8) {
        match byte {
            b'\n' => self.is_whole = true,
            byte => self.bytes.push(byte),
        }
    }

    /// Whether its end has come.
    pub(super) fn is_whole(&self) -> bool {
        self.is_whole
    }

    /// What there is of it, without its end.
    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(self.bytes.trim_ascii_end()).into_owned()
    }
}
