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

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> (Line, usize) {
        let mut line = Line::new(8);
        let mut taken = 0;
        for byte in bytes {
            if line.wants_more() {
                line.push(*byte);
                taken += 1;
            }
        }
        (line, taken)
    }

    #[test]
    fn nothing_behind_the_end_of_the_line_is_taken() {
        let (line, taken) = read(b"OK 1\r\nmore");
        assert_eq!((line.text().as_str(), taken), ("OK 1", 6));
        assert!(line.is_whole());
    }

    #[test]
    fn a_line_without_an_end_is_taken_up_to_its_limit() {
        let (line, taken) = read(&[b'x'; 100]);
        assert_eq!((line.text().as_str(), taken), ("xxxxxxxx", 8));
        assert!(!line.is_whole());
    }
}
