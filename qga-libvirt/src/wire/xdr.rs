//! Numbers, texts and lists as XDR.

use std::fmt;

/// The longest text, in bytes.
pub(crate) const LONGEST_TEXT: usize = 4 << 20;

/// Writes values one after another.
#[derive(Debug, Default)]
pub(crate) struct Encoder {
    bytes: Vec<u8>,
}

/// Reads values one after another.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Decoder<'a> {
    rest: &'a [u8],
}

/// In which way bytes are not what was to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Malformed {
    /// They end before the value does.
    Short,
    /// A length or a count is larger than what is accepted.
    TooLong,
    /// A flag is neither 0 nor 1.
    BadFlag,
    /// The padding of a text is not zero.
    BadPadding,
    /// A text is not UTF-8.
    NotUtf8,
    /// Something follows the last value.
    Trailing,
    /// The packet's header makes no sense.
    BadHeader,
}

impl Encoder {
    pub(crate) fn u32(&mut self, value: u32) -> &mut Self {
        self.bytes.extend_from_slice(&value.to_be_bytes());
        self
    }

    pub(crate) fn i32(&mut self, value: i32) -> &mut Self {
        self.bytes.extend_from_slice(&value.to_be_bytes());
        self
    }

    /// Bytes of a length that both sides know, which is a multiple of four.
    pub(crate) fn fixed(&mut self, bytes: &[u8]) -> &mut Self {
        self.bytes.extend_from_slice(bytes);
        self
    }

    /// A text; the daemon refuses one that is longer than [`LONGEST_TEXT`].
    pub(crate) fn text(&mut self, text: &str) -> &mut Self {
        self.u32(u32::try_from(text.len()).unwrap_or(u32::MAX));
        self.bytes.extend_from_slice(text.as_bytes());
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
        self
    }

    pub(crate) fn optional_text(&mut self, text: Option<&str>) -> &mut Self {
        match text {
            Some(text) => self.u32(1).text(text),
            None => self.u32(0),
        }
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

impl<'a> Decoder<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(Malformed::Short)?;
        self.rest = rest;
        Ok(taken)
    }

    pub(crate) fn fixed<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or(Malformed::Short)?;
        self.rest = rest;
        Ok(*taken)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, Malformed> {
        self.fixed().map(u32::from_be_bytes)
    }

    pub(crate) fn i32(&mut self) -> Result<i32, Malformed> {
        self.fixed().map(i32::from_be_bytes)
    }

    pub(crate) fn u64(&mut self) -> Result<u64, Malformed> {
        self.fixed().map(u64::from_be_bytes)
    }

    /// A length or a count of at most `most`.
    fn length(&mut self, most: usize) -> Result<usize, Malformed> {
        let length = usize::try_from(self.u32()?).map_err(|_| Malformed::TooLong)?;
        if length > most {
            return Err(Malformed::TooLong);
        }
        Ok(length)
    }

    pub(crate) fn text(&mut self) -> Result<&'a str, Malformed> {
        let length = self.length(LONGEST_TEXT)?;
        let text = self.take(length)?;
        let padding = self.take(length.next_multiple_of(4) - length)?;
        if padding.iter().any(|byte| *byte != 0) {
            return Err(Malformed::BadPadding);
        }
        std::str::from_utf8(text).map_err(|_| Malformed::NotUtf8)
    }

    /// A value that may be absent.
    pub(crate) fn optional<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, Malformed>,
    ) -> Result<Option<T>, Malformed> {
        match self.u32()? {
            0 => Ok(None),
            1 => read(self).map(Some),
            _ => Err(Malformed::BadFlag),
        }
    }

    /// A list of at most `most` items. Room is made for an item once it has been read, whatever count is told.
    pub(crate) fn list<T>(
        &mut self,
        most: usize,
        mut read: impl FnMut(&mut Self) -> Result<T, Malformed>,
    ) -> Result<Vec<T>, Malformed> {
        let count = self.length(most)?;
        let mut items = Vec::new();
        for _ in 0..count {
            items.push(read(self)?);
        }
        Ok(items)
    }

    /// Makes sure that nothing is left.
    pub(crate) fn end(self) -> Result<(), Malformed> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(Malformed::Trailing)
        }
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Short => "it ends too early",
            Self::TooLong => "it has a length that is too large",
            Self::BadFlag => "it has a flag that is neither 0 nor 1",
            Self::BadPadding => "the padding of a text is not zero",
            Self::NotUtf8 => "it has a text that is not UTF-8",
            Self::Trailing => "something follows its end",
            Self::BadHeader => "its header makes no sense",
        })
    }
}

impl std::error::Error for Malformed {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let mut encoder = Encoder::default();
        encoder.u32(7).i32(-2).text("vm1").optional_text(None);
        encoder.optional_text(Some("four")).fixed(&[1; 16]);
        let bytes = encoder.into_bytes();
        assert_eq!(bytes.len() % 4, 0);
        let mut decoder = Decoder::new(&bytes);
        assert_eq!((decoder.u32(), decoder.i32()), (Ok(7), Ok(-2)));
        assert_eq!(decoder.text(), Ok("vm1"));
        assert_eq!(decoder.optional(Decoder::text), Ok(None));
        assert_eq!(decoder.optional(Decoder::text), Ok(Some("four")));
        assert_eq!(decoder.fixed(), Ok([1; 16]));
        decoder.end().unwrap();
    }

    #[test]
    fn a_text_takes_a_multiple_of_four_bytes_and_the_rest_is_zero() {
        for (text, length) in [("", 4), ("a", 8), ("abcd", 8), ("abcde", 12)] {
            let mut encoder = Encoder::default();
            encoder.text(text);
            let bytes = encoder.into_bytes();
            assert_eq!(bytes.len(), length, "{text}");
            assert!(bytes[4 + text.len()..].iter().all(|byte| *byte == 0));
        }
    }

    #[test]
    fn lengths_that_the_bytes_do_not_bear_out_are_errors_and_take_no_memory() {
        let huge = [0xFF; 4];
        assert_eq!(Decoder::new(&huge).text(), Err(Malformed::TooLong));
        assert_eq!(
            Decoder::new(&huge).list(10, Decoder::u32),
            Err(Malformed::TooLong)
        );
        let more_than_there_is = [0, 0, 0, 9, b'a', b'b', b'c', b'd'];
        assert_eq!(
            Decoder::new(&more_than_there_is).text(),
            Err(Malformed::Short)
        );
        let million = 1_000_000_u32.to_be_bytes();
        let list = Decoder::new(&million).list(usize::MAX, Decoder::u32);
        assert_eq!(list, Err(Malformed::Short));
    }

    #[test]
    fn odd_flags_padding_texts_and_ends_are_errors() {
        let flag = 2_u32.to_be_bytes();
        let read = Decoder::new(&flag).optional(Decoder::u32);
        assert_eq!(read, Err(Malformed::BadFlag));
        let padding = [0, 0, 0, 1, b'a', 0, 1, 0];
        assert_eq!(Decoder::new(&padding).text(), Err(Malformed::BadPadding));
        let latin = [0, 0, 0, 1, 0xE4, 0, 0, 0];
        assert_eq!(Decoder::new(&latin).text(), Err(Malformed::NotUtf8));
        assert_eq!(Decoder::new(&flag).end(), Err(Malformed::Trailing));
        assert_eq!(Decoder::new(&flag[..3]).u32(), Err(Malformed::Short));
    }
}
