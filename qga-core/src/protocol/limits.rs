//! How long, how deep and how wide a reply may be, and how much a sync may pass over.

use crate::error::Malformed;
use crate::json;

/// How a reply may be built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ReplyLimits {
    /// The longest line, in bytes.
    pub(crate) bytes: usize,
    /// How deep it may nest, the reply itself counted.
    pub(crate) depth: usize,
    /// How many items a list or an object in it may have.
    pub(crate) items: usize,
}

/// How much a sync may pass over before its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SyncBudget {
    pub(crate) bytes: u64,
    pub(crate) lines: u64,
}

impl ReplyLimits {
    /// More levels than these do not decode.
    pub(crate) const DEEPEST: usize = json::DEEPEST;

    pub(crate) const DEFAULT: Self = Self {
        bytes: 10 * 1024 * 1024,
        depth: 100,
        items: 100_000,
    };

    /// The line as text that is safe to give to a recursive parser.
    pub(crate) fn check<'a>(&self, line: &'a [u8]) -> Result<&'a str, Malformed> {
        let text = std::str::from_utf8(line).map_err(|_| Malformed::NotUtf8)?;
        if nests_deeper_than(self.depth, line) {
            return Err(Malformed::TooDeep);
        }
        if has_more_items_than(self.items, line) {
            return Err(Malformed::TooManyItems);
        }
        Ok(text)
    }
}

impl SyncBudget {
    pub(crate) const DEFAULT: Self = Self {
        bytes: 4 * 1024 * 1024 * 1024,
        lines: 4_000_000,
    };
}

/// Whether brackets nest deeper than `limit`, in text that may not be JSON.
fn nests_deeper_than(limit: usize, text: &[u8]) -> bool {
    if text.len() <= limit || memchr::memchr2_iter(b'{', b'[', text).count() <= limit {
        return false;
    }
    let mut depth = 0_usize;
    let mut rest = text.iter();
    while let Some(byte) = rest.next() {
        match byte {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            b'"' => skip_string(&mut rest),
            _ => {}
        }
        if depth > limit {
            return true;
        }
    }
    false
}

/// Whether a list or an object has more than `limit` items, in text that may not be JSON and nests
/// no deeper than a bounded number of levels.
fn has_more_items_than(limit: usize, text: &[u8]) -> bool {
    if text.len() / 2 < limit || memchr::memchr_iter(b',', text).count() < limit {
        return false;
    }
    // Commas at each level; the reply's own members, at level one, are not counted.
    let mut counts = vec![0_usize];
    let mut rest = text.iter();
    while let Some(byte) = rest.next() {
        match byte {
            b'{' | b'[' => counts.push(0),
            b'}' | b']' => drop(counts.pop()),
            b'"' => skip_string(&mut rest),
            b',' if counts.len() > 2 => {
                if let Some(commas) = counts.last_mut() {
                    *commas += 1;
                    if *commas >= limit {
                        return true;
                    }
                }
            }
            _ => {}
        }
    }
    false
}

fn skip_string(rest: &mut std::slice::Iter<'_, u8>) {
    while let Some(at) = memchr::memchr2(b'"', b'\\', rest.as_slice()) {
        if rest.nth(at) == Some(&b'"') {
            return;
        }
        rest.next();
    }
    *rest = [].iter();
}

#[cfg(test)]
#[path = "limits/tests.rs"]
mod tests;
