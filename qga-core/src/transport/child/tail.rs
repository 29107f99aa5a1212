//! The last that a program wrote to its standard error.

use std::fmt;

use crate::text::Excerpt;

/// How much of it is kept, in bytes.
const LONGEST: usize = 1024;

#[derive(Default)]
pub(in crate::transport) struct Tail(Vec<u8>);

impl Tail {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        let start = bytes.len().saturating_sub(LONGEST);
        self.0
            .extend_from_slice(bytes.get(start..).unwrap_or_default());
        let too_many = self.0.len().saturating_sub(LONGEST);
        self.0.drain(..too_many);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.trim_ascii().is_empty()
    }
}

impl fmt::Display for Tail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = String::from_utf8_lossy(&self.0);
        for (index, line) in text
            .lines()
            .filter(|line| !line.trim().is_empty())
            .enumerate()
        {
            let before = if index == 0 { "" } else { "; " };
            write!(f, "{before}{}", Excerpt(line.trim()))?;
        }
        Ok(())
    }
}
