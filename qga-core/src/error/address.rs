//! Why a text is no address.

use std::borrow::Cow;
use std::convert::Infallible;
use std::fmt;

use crate::text::Excerpt;

/// Why a text is no [`Address`](crate::Address), and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressError {
    text: String,
    reason: Cow<'static, str>,
}

impl AddressError {
    pub(crate) fn new(text: &str, reason: Cow<'static, str>) -> Self {
        Self {
            text: text.to_owned(),
            reason,
        }
    }

    /// What was to be read.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }
}

impl From<Infallible> for AddressError {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

impl fmt::Display for AddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:?} is no address: {}",
            Excerpt(&self.text),
            Excerpt(&self.reason)
        )
    }
}

impl std::error::Error for AddressError {}
