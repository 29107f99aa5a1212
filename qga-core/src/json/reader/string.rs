//! Strings.

use std::borrow::Cow;

use serde::de::Visitor;
use serde_json::Result;

use super::Reader;
use crate::base64;

/// How far the end of a string is looked for word by word, in bytes. After that it is searched in large steps, which take
/// longer to begin.
const SHORT: usize = 64;

const WORD: usize = size_of::<u64>();

impl<'de> Reader<'de> {
    pub(super) fn string(&mut self) -> Result<Cow<'de, str>> {
        match self.plain_string() {
            Some(text) => Ok(Cow::Borrowed(text)),
            None => self.escaped_string().map(Cow::Owned),
        }
    }

    #[inline]
    pub(super) fn visit_string<V: Visitor<'de>>(&mut self, visitor: V) -> Result<V::Value> {
        match self.plain_string() {
            Some(text) => visitor.visit_borrowed_str(text),
            None => visitor.visit_string(self.escaped_string()?),
        }
    }

    /// Reads a string without escapes; `None` if it is something else.
    #[inline]
    fn plain_string(&mut self) -> Option<&'de str> {
        let quoted = self.json.get(self.at..)?.strip_prefix(b"\"")?;
        let length = plain_length(quoted);
        if *quoted.get(length)? != b'"' {
            return None;
        }
        let start = self.at + 1;
        let text = match self.text {
            Some(text) => text.get(start..start + length)?,
            None => std::str::from_utf8(quoted.get(..length)?).ok()?,
        };
        self.at = start + length + 1;
        Some(text)
    }

    pub(super) fn skip_string(&mut self) -> Result<()> {
        self.expect(b'"')?;
        let start = self.at;
        while self.plain()? == b'\\' {
            self.escape()?;
        }
        if self.text.is_none() {
            self.piece(start..self.at)?;
        }
        self.at += 1;
        Ok(())
    }

    /// Reads base64 without escapes; `None` if it is something else.
    pub(super) fn base64(&mut self) -> Option<Vec<u8>> {
        self.peek()?;
        let quoted = self.json.get(self.at..)?.strip_prefix(b"\"")?;
        let length = memchr::memchr(b'"', quoted)?;
        let bytes = base64::decode(quoted.get(..length)?)?;
        self.at += length + 2;
        Some(bytes)
    }

    /// Goes to the quote or the escape that ends what stands for itself, and tells which it is.
    fn plain(&mut self) -> Result<u8> {
        self.at += plain_length(self.json.get(self.at..).unwrap_or_default());
        match self.json.get(self.at) {
            Some(byte @ (b'"' | b'\\')) => Ok(*byte),
            _ => Err(self.broken()),
        }
    }

    /// Reads any string.
    #[cold]
    fn escaped_string(&mut self) -> Result<String> {
        self.expect(b'"')?;
        let mut text = String::new();
        loop {
            let start = self.at;
            let end = self.plain()?;
            text.push_str(self.piece(start..self.at)?);
            if end == b'"' {
                self.at += 1;
                return Ok(text);
            }
            text.push(self.escape()?);
        }
    }

    fn escape(&mut self) -> Result<char> {
        let kind = self.json.get(self.at + 1);
        self.at += 2;
        Ok(match kind {
            Some(byte @ (b'"' | b'\\' | b'/')) => char::from(*byte),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{C}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.character(),
            _ => return Err(self.broken()),
        })
    }

    /// Reads the digits of a character, and if it is half of one, also its other half, if that follows.
    fn character(&mut self) -> Result<char> {
        let first = self.code_unit()?;
        if let Some(whole) = char::from_u32(first.into()) {
            return Ok(whole);
        }
        let after = self.at;
        if self.json.get(after..after + 2) == Some(b"\\u") {
            self.at += 2;
            let second = self.code_unit()?;
            if let Some(Ok(whole)) = char::decode_utf16([first, second]).next() {
                return Ok(whole);
            }
            self.at = after;
        }
        Ok(char::REPLACEMENT_CHARACTER)
    }

    fn code_unit(&mut self) -> Result<u16> {
        let digits = self.json.get(self.at..self.at + 4).unwrap_or_default();
        let digit = |byte: &u8| char::from(*byte).to_digit(16);
        let unit = digits
            .iter()
            .try_fold(0, |unit, byte| Some(unit * 16 + digit(byte)?));
        self.at += 4;
        let unit = unit.filter(|_| digits.len() == 4);
        let unit = unit.and_then(|unit| u16::try_from(unit).ok());
        unit.ok_or_else(|| self.broken())
    }
}

/// How many bytes stand for themselves in a string, before a quote, an escape, or what may not stand there.
#[inline]
fn plain_length(bytes: &[u8]) -> usize {
    for length in (0..SHORT).step_by(WORD) {
        let word = bytes.get(length..).and_then(|rest| rest.first_chunk());
        let Some(word) = word else {
            return length + rest_plain_length(bytes.get(length..));
        };
        if let Some(place) = first_end(u64::from_le_bytes(*word)) {
            return length + place;
        }
    }
    SHORT + rest_plain_length(bytes.get(SHORT..))
}

#[cold]
fn rest_plain_length(bytes: Option<&[u8]>) -> usize {
    let bytes = bytes.unwrap_or_default();
    let length = memchr::memchr2(b'"', b'\\', bytes).unwrap_or(bytes.len());
    let plain = bytes.get(..length).unwrap_or_default();
    let lowest = plain.iter().fold(u8::MAX, |lowest, byte| lowest.min(*byte));
    match lowest {
        0..b' ' => plain.iter().take_while(|byte| **byte >= b' ').count(),
        _ => length,
    }
}

/// The first byte of a word at which what stands for itself ends.
#[inline]
fn first_end(word: u64) -> Option<usize> {
    const ONES: u64 = u64::from_le_bytes([1; WORD]);
    const HIGH: u64 = ONES << 7;
    const fn all(byte: u8) -> u64 {
        ONES * byte as u64
    }
    // Where a byte is too low, it borrows from its highest bit, which it had not set. What it does to the bytes after it
    // is of no interest, since it is the first. A quote changes places with a space, and so is one more below it.
    let control_or_quote = (word ^ all(b' ' ^ b'"')).wrapping_sub(all(b' ' + 1));
    let escape = (word ^ all(b'\\')).wrapping_sub(ONES);
    let ends = (control_or_quote | escape) & !word & HIGH;
    let place = ends.trailing_zeros() / u8::BITS;
    (ends != 0).then_some(place as usize)
}
