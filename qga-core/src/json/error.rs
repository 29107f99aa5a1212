//! Why JSON cannot be written or read.

use std::fmt::{self, Display, Formatter};

use crate::text::Excerpt;

/// Why JSON could not be written or read, in serde's words.
///
/// These may quote what a guest wrote, so they are cut and escaped like the rest.
pub struct JsonError(serde_json::Error);

impl JsonError {
    pub(crate) fn new(error: serde_json::Error) -> Self {
        Self(error)
    }
}

/// The words of an error without line and column, which mean nothing where all is one line.
pub(crate) fn words(error: &serde_json::Error) -> String {
    let words = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    match words.strip_suffix(&place) {
        Some(words) => words.to_owned(),
        None => words,
    }
}

impl Display for JsonError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        Excerpt(&words(&self.0)).fmt(f)
    }
}

impl fmt::Debug for JsonError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "JsonError({self})")
    }
}

impl std::error::Error for JsonError {}
