//! Where the objects are in a stream of bytes. A monitor may spread one over many lines (`pretty=on`), so lines mean
//! nothing.

use qga_core::Malformed;

use super::limits::Limits;

/// How much is kept of both ends of an object that is too large, in bytes.
const KEPT: usize = 64;

/// Finds the objects in what arrives.
#[derive(Debug)]
pub(crate) struct Objects {
    limits: Limits,
    /// The object that has begun, unless it is too large.
    object: Vec<u8>,
    /// How much of it was read, in bytes.
    length: usize,
    /// How many brackets are open.
    depth: usize,
    /// The commas at each level that is open.
    commas: Vec<usize>,
    string: InString,
    excess: Option<Excess>,
}

/// An object, or what is left of it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    Object(Vec<u8>),
    /// It is beyond a limit, and was passed over.
    Excess(Excess),
}

/// The ends of an object that is beyond a limit.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Excess {
    pub(crate) limit: Limit,
    head: Vec<u8>,
    tail: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Limit {
    Bytes,
    Depth,
    Items,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum InString {
    No,
    Yes,
    /// Behind a backslash.
    Escaped,
}

impl Objects {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits,
            object: Vec::new(),
            length: 0,
            depth: 0,
            commas: Vec::new(),
            string: InString::No,
            excess: None,
        }
    }

    /// The next object whose end is in `bytes`, from which it takes what it has read.
    ///
    /// # Errors
    ///
    /// When something else than an object begins. What comes after it makes no sense either.
    pub(crate) fn next(&mut self, bytes: &mut &[u8]) -> Result<Option<Found>, Malformed> {
        if self.depth == 0 {
            *bytes = bytes.trim_ascii_start();
            match bytes.first() {
                None => return Ok(None),
                Some(b'{') => {}
                Some(b'[' | b'"' | b'-' | b'0'..=b'9' | b't' | b'f' | b'n') => {
                    return Err(Malformed::NotAnObject);
                }
                Some(_) => return Err(Malformed::NotJson),
            }
        }
        let end = bytes.iter().position(|byte| self.is_end(*byte));
        let taken = end.map_or(bytes.len(), |end| end + 1);
        let (object, rest) = bytes.split_at(taken);
        *bytes = rest;
        self.keep(object);
        Ok(end.map(|_| self.take()))
    }

    /// Whether the object ends with this byte.
    fn is_end(&mut self, byte: u8) -> bool {
        self.length = self.length.saturating_add(1);
        if self.length > self.limits.bytes {
            self.exceed(Limit::Bytes);
        }
        match (self.string, byte) {
            (InString::Escaped, _) | (InString::No, b'"') => self.string = InString::Yes,
            (InString::Yes, b'\\') => self.string = InString::Escaped,
            (InString::Yes, b'"') => self.string = InString::No,
            (InString::No, b'{' | b'[') => self.open(),
            (InString::No, b'}' | b']') => {
                self.depth -= 1;
                self.commas.truncate(self.depth);
                return self.depth == 0;
            }
            (InString::No, b',') => self.count(),
            (InString::No | InString::Yes, _) => {}
        }
        false
    }

    fn open(&mut self) {
        self.depth += 1;
        if self.depth <= self.limits.depth {
            self.commas.push(0);
        } else {
            self.exceed(Limit::Depth);
        }
    }

    fn count(&mut self) {
        if let Some(commas) = self.commas.last_mut().filter(|_| self.excess.is_none()) {
            *commas += 1;
            if *commas >= self.limits.items {
                self.exceed(Limit::Items);
            }
        }
    }

    fn keep(&mut self, bytes: &[u8]) {
        match &mut self.excess {
            None => self.object.extend_from_slice(bytes),
            Some(excess) => excess.keep(bytes),
        }
    }

    /// What has begun is not kept.
    fn exceed(&mut self, limit: Limit) {
        if self.excess.is_none() {
            let mut excess = Excess {
                limit,
                head: Vec::new(),
                tail: Vec::new(),
            };
            excess.keep(&std::mem::take(&mut self.object));
            self.excess = Some(excess);
        }
    }

    fn take(&mut self) -> Found {
        self.length = 0;
        match self.excess.take() {
            Some(excess) => Found::Excess(excess),
            None => Found::Object(std::mem::take(&mut self.object)),
        }
    }
}

impl Excess {
    fn keep(&mut self, bytes: &[u8]) {
        let room = KEPT - self.head.len();
        self.head.extend(bytes.iter().take(room));
        let last = bytes.get(bytes.len().saturating_sub(KEPT)..);
        self.tail.extend_from_slice(last.unwrap_or(bytes));
        let surplus = self.tail.len().saturating_sub(KEPT);
        self.tail.drain(..surplus);
    }

    /// The id that it carries, as the last member of a reply or as the first one of an error.
    pub(crate) fn id(&self) -> Option<u64> {
        self.last_id().or_else(|| self.first_id())
    }

    fn last_id(&self) -> Option<u64> {
        let rest = self.tail.strip_suffix(b"}")?.trim_ascii_end();
        let digits = rest.iter().rev().take_while(|byte| byte.is_ascii_digit());
        let (before, digits) = rest.split_at(rest.len() - digits.count());
        let before = before.trim_ascii_end().strip_suffix(b":")?;
        before.trim_ascii_end().strip_suffix(b"\"id\"")?;
        number(digits)
    }

    fn first_id(&self) -> Option<u64> {
        let rest = self.head.strip_prefix(b"{")?.trim_ascii_start();
        let rest = rest.strip_prefix(b"\"id\"")?.trim_ascii_start();
        let rest = rest.strip_prefix(b":")?.trim_ascii_start();
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit());
        number(rest.get(..digits.count())?)
    }

    /// Whether it is an event, by its first member.
    pub(crate) fn is_event(&self) -> bool {
        let rest = self.head.strip_prefix(b"{").map(<[u8]>::trim_ascii_start);
        rest.is_some_and(|rest| {
            rest.starts_with(b"\"timestamp\"") || rest.starts_with(b"\"event\"")
        })
    }

    /// Its ends as text.
    pub(crate) fn excerpt(&self) -> String {
        let (head, tail) = (&self.head, &self.tail);
        format!(
            "{}...{}",
            String::from_utf8_lossy(head),
            String::from_utf8_lossy(tail)
        )
    }
}

fn number(digits: &[u8]) -> Option<u64> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
#[path = "objects/tests.rs"]
mod tests;
