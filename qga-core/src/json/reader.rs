//! Reads the JSON of agents, in one pass over what was received.
//!
//! A long text is looked at as seldom as may be, and base64 is decoded from where it stands. Numbers are integers for
//! those who ask for integers, however they are spelt, and half a character is U+FFFD.

mod deserialize;
mod number;
mod string;

use std::borrow::Cow;
use std::ops::Range;

use serde::Deserialize;
use serde::de::{Error as _, Expected, Unexpected};
use serde_json::{Error, Result};

use number::{Number, unexpected_number};

/// Deeper JSON is not read, so that whoever reads it by recursion does not run out of stack.
pub(crate) const DEEPEST: usize = 127;

/// JSON that has no quote in so many bytes after its middle is taken to be mostly one long text.
const MIDDLE: usize = 512;

/// A place in JSON, from which the next value is read.
pub(crate) struct Reader<'de> {
    json: &'de [u8],
    /// The same, unless nobody knows yet whether it is text.
    text: Option<&'de str>,
    at: usize,
    /// How many more levels it may nest.
    levels: usize,
    /// How many items a list or an object may have.
    items: usize,
    /// Whether who asks for anything gets an integer where a number is whole, as untagged and flattened types do.
    respells: bool,
    /// Whether it is no JSON, or more of it than is allowed.
    is_broken: bool,
    /// The way to what did not fit, from the innermost value to the outermost.
    steps: Vec<Step>,
    /// Where the innermost value begins that did not fit.
    misfit_at: usize,
}

/// One level up from what does not fit.
enum Step {
    /// Out of a list, counted from zero.
    Element(usize),
    /// Out of an object, with the place of the quote before the name.
    Member(usize),
}

/// A place in JSON, as somebody writes it who reads it, and what stands there.
pub(crate) struct Place<'a> {
    /// Such as `[3].ip-addresses[0].prefix`; `.` is the whole.
    pub(crate) path: String,
    /// What stands there.
    pub(crate) piece: &'a str,
}

/// Why JSON does not fit a type, and where.
pub(crate) struct Misfit<'de> {
    pub(crate) error: Error,
    pub(crate) place: Place<'de>,
    /// Whether it is no JSON, or nests too deep.
    pub(crate) is_broken: bool,
}

/// Reads a value that is all of the JSON. If it does not fit, it is read a second time, in which whole numbers are integers
/// also for who asks for anything; the error is that of the second time.
pub(crate) fn read<'de, T>(
    json: &'de str,
    mut read_value: impl FnMut(&mut Reader<'de>) -> Result<T>,
) -> std::result::Result<T, Misfit<'de>> {
    let mut reader = Reader::of_text(json);
    if let Ok(value) = reader.whole(&mut read_value) {
        return Ok(value);
    }
    let mut reader = Reader::of_text(json);
    reader.respells = true;
    reader.whole(read_value).map_err(|error| Misfit {
        error,
        is_broken: reader.is_broken,
        place: reader.place(json),
    })
}

/// The same, for a type that serde reads.
pub(crate) fn from_str<'de, T: Deserialize<'de>>(
    json: &'de str,
) -> std::result::Result<T, Misfit<'de>> {
    read(json, |reader| T::deserialize(reader))
}

/// Whether it is JSON.
pub(crate) fn is_json(json: &str) -> bool {
    Reader::of_text(json).whole(Reader::skip).is_ok()
}

impl<'de> Reader<'de> {
    fn of_text(json: &'de str) -> Self {
        Self {
            text: Some(json),
            ..Self::of_unchecked(json.as_bytes())
        }
    }

    /// Each piece is checked to be UTF-8 when it is read.
    fn of_unchecked(json: &'de [u8]) -> Self {
        Self {
            json,
            text: None,
            at: 0,
            levels: DEEPEST,
            items: usize::MAX,
            respells: false,
            is_broken: false,
            steps: Vec::new(),
            misfit_at: 0,
        }
    }

    /// Reads what was received; `None` if it is no text. It may nest this deep, and a list or an object in it may have so
    /// many items.
    pub(crate) fn of_received(json: &'de [u8], levels: usize, items: usize) -> Option<Self> {
        let mut reader = if is_mostly_one_text(json) {
            Self::of_unchecked(json)
        } else {
            Self::of_text(std::str::from_utf8(json).ok()?)
        };
        reader.levels = levels.min(DEEPEST);
        reader.items = items;
        Some(reader)
    }

    /// Reads a value after which nothing follows.
    pub(crate) fn whole<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        let value = read(self)?;
        match self.peek() {
            // A type may have borne what is no JSON, and gone on from within it.
            None if !self.is_broken => Ok(value),
            _ => Err(self.broken()),
        }
    }

    /// The next byte that is not space.
    #[inline]
    fn peek(&mut self) -> Option<u8> {
        loop {
            let byte = *self.json.get(self.at)?;
            if byte > b' ' || !matches!(byte, b' ' | b'\n' | b'\t' | b'\r') {
                return Some(byte);
            }
            self.at += 1;
        }
    }

    /// Reads a byte that must come next.
    #[inline]
    fn expect(&mut self, byte: u8) -> Result<()> {
        if self.peek() != Some(byte) {
            return Err(self.broken());
        }
        self.at += 1;
        Ok(())
    }

    /// Goes into a list or an object.
    #[inline]
    fn enter(&mut self) -> Result<()> {
        self.at += 1;
        match self.levels.checked_sub(1) {
            Some(levels) => self.levels = levels,
            None => return Err(self.broken()),
        }
        Ok(())
    }

    /// Leaves a list or an object, of which all must have been read.
    #[inline]
    fn exit(&mut self, end: u8) -> Result<()> {
        match self.peek() {
            Some(byte) if byte == end => {
                self.at += 1;
                self.levels += 1;
                Ok(())
            }
            Some(b',') => Err(Error::custom("there are more items than expected")),
            _ => Err(self.broken()),
        }
    }

    /// Whether another item follows in a list or an object that ends with this byte.
    #[inline]
    fn has_item(&mut self, end: u8, count: usize) -> Result<bool> {
        match self.peek() {
            Some(byte) if byte == end => return Ok(false),
            Some(b',') if count > 0 && count < self.items => {
                self.at += 1;
                if self.peek() != Some(end) {
                    return Ok(true);
                }
            }
            Some(_) if count == 0 && self.items > 0 => return Ok(true),
            _ => {}
        }
        Err(self.broken())
    }

    /// Reads a word such as `true`.
    #[inline]
    fn word(&mut self, word: &str) -> Result<()> {
        let rest = self.json.get(self.at..).unwrap_or_default();
        if !rest.starts_with(word.as_bytes()) {
            return Err(self.broken());
        }
        self.at += word.len();
        Ok(())
    }

    /// Passes over a value.
    fn skip(&mut self) -> Result<()> {
        match self.peek() {
            Some(b'"') => self.skip_string(),
            Some(b'{') => self.skip_items(b'}', |reader| {
                reader.skip_string()?;
                reader.expect(b':')
            }),
            Some(b'[') => self.skip_items(b']', |_| Ok(())),
            Some(b't') => self.word("true"),
            Some(b'f') => self.word("false"),
            Some(b'n') => self.word("null"),
            _ => self.number().map(drop),
        }
    }

    fn skip_items(&mut self, end: u8, before: fn(&mut Self) -> Result<()>) -> Result<()> {
        self.enter()?;
        let mut count = 0;
        while self.has_item(end, count)? {
            before(self)?;
            self.skip()?;
            count += 1;
        }
        self.exit(end)
    }

    /// Passes over a value, and tells how it is written.
    fn raw(&mut self) -> Result<&'de str> {
        self.peek();
        let start = self.at;
        self.skip()?;
        self.piece(start..self.at)
    }

    /// A piece of it that must be text.
    #[inline]
    fn piece(&mut self, range: Range<usize>) -> Result<&'de str> {
        let piece = match self.text {
            Some(text) => text.get(range),
            None => self
                .json
                .get(range)
                .and_then(|it| std::str::from_utf8(it).ok()),
        };
        piece.ok_or_else(|| self.broken())
    }

    /// Says that it is no JSON. In which way is for nobody to know: an agent has written it, or what is left of it.
    #[cold]
    fn broken(&mut self) -> Error {
        self.is_broken = true;
        Error::custom("this is not JSON")
    }

    /// Says that there is another kind of value than is expected, and passes over it unless it is a list or an object.
    #[cold]
    fn unexpected(&mut self, expected: &dyn Expected) -> Error {
        let invalid = |kind: Unexpected<'_>| Error::invalid_type(kind, expected);
        let error = match self.peek() {
            Some(b'"') => self.string().map(|text| invalid(Unexpected::Str(&text))),
            Some(b'{') => Ok(invalid(Unexpected::Map)),
            Some(b'[') => Ok(invalid(Unexpected::Seq)),
            Some(b't') => self.word("true").map(|()| invalid(Unexpected::Bool(true))),
            Some(b'f') => self
                .word("false")
                .map(|()| invalid(Unexpected::Bool(false))),
            Some(b'n') => self.word("null").map(|()| invalid(Unexpected::Unit)),
            _ => self.number().map(|number| match number {
                Number::Natural(number) => invalid(Unexpected::Unsigned(number)),
                Number::Negative(number) => invalid(Unexpected::Signed(number)),
                Number::Other(number) => unexpected_number(number, expected),
            }),
        };
        error.unwrap_or_else(|broken| broken)
    }

    /// Takes note of the way out of what has failed.
    #[cold]
    fn leave(&mut self, step: Step, value: usize) {
        if self.steps.is_empty() {
            self.misfit_at = value;
        }
        self.steps.push(step);
    }

    /// The place of what did not fit.
    fn place(&mut self, json: &'de str) -> Place<'de> {
        let steps = std::mem::take(&mut self.steps);
        if steps.is_empty() {
            let path = ".".to_owned();
            return Place { path, piece: json };
        }
        self.levels = DEEPEST;
        let mut path = String::new();
        for step in steps.into_iter().rev() {
            match step {
                Step::Element(index) => path.extend(["[", &index.to_string(), "]"]),
                Step::Member(key) => {
                    self.at = key;
                    let name = self.string().unwrap_or(Cow::Borrowed("?"));
                    let name = if name.is_empty() { "\"\"" } else { &*name };
                    let dot = if path.is_empty() { "" } else { "." };
                    path.extend([dot, name]);
                }
            }
        }
        self.at = self.misfit_at;
        let piece = self.raw().unwrap_or(json);
        Place { path, piece }
    }
}

/// Whether it is likely to be one long text with little around it. This decides only how fast it is read.
#[inline]
fn is_mostly_one_text(json: &[u8]) -> bool {
    let middle = json.get(json.len() / 2..).unwrap_or_default();
    let middle = middle.first_chunk::<MIDDLE>();
    middle.is_some_and(|middle| memchr::memchr(b'"', middle).is_none())
}

#[cfg(test)]
mod tests;
