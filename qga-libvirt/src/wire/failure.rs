//! The error that the daemon answers a call with.

use std::fmt::{self, Write as _};

use super::types::{Domain, Uuid};
use super::xdr::{Decoder, Malformed};

/// Why the daemon did not do what was asked. Its texts are in the daemon's language, so it is judged by its numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// What went wrong.
    pub(crate) code: i32,
    /// Which part of the daemon says so.
    pub(crate) part: i32,
    pub(crate) message: Option<String>,
    /// What is particular of this failure, without the general words for its code.
    pub(crate) detail: Option<String>,
}

impl Failure {
    pub(crate) fn decode(payload: &[u8]) -> Result<Self, Malformed> {
        let mut decoder = Decoder::new(payload);
        let code = decoder.i32()?;
        let part = decoder.i32()?;
        let message = optional_text(&mut decoder)?;
        let _level = decoder.i32()?;
        decoder.optional(Domain::decode)?;
        let _format = optional_text(&mut decoder)?;
        let detail = optional_text(&mut decoder)?;
        let _third = optional_text(&mut decoder)?;
        let _numbers = (decoder.i32()?, decoder.i32()?);
        decoder.optional(network)?;
        decoder.end()?;
        Ok(Self {
            code,
            part,
            message,
            detail,
        })
    }
}

fn optional_text(decoder: &mut Decoder<'_>) -> Result<Option<String>, Malformed> {
    decoder.optional(|decoder| decoder.text().map(str::to_owned))
}

/// A network's name and UUID.
fn network(decoder: &mut Decoder<'_>) -> Result<(), Malformed> {
    decoder.text()?;
    Uuid::decode(decoder).map(drop)
}

/// How many characters of the daemon's words are shown.
const SHOWN: usize = 300;

/// The daemon's words, which are cut, and its numbers.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = self.message.as_deref().or(self.detail.as_deref());
        for character in words.unwrap_or("no message").chars().take(SHOWN) {
            if character.is_control() {
                f.write_str(" ")?;
            } else {
                f.write_char(character)?;
            }
        }
        write!(f, " (libvirt's error {}, domain {})", self.code, self.part)
    }
}

impl std::error::Error for Failure {}
