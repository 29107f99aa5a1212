//! Bytes that travel as base64, for serde's `with`.
//!
//! Agents send and take bytes as padded base64. A field of a response that holds such bytes is declared so; for
//! arguments there is `#[qga(base64)]`:
//!
//! ```
//! use serde::Deserialize;
//!
//! #[derive(Deserialize)]
//! struct FileRead {
//!     #[serde(rename = "buf-b64", with = "qga_core::base64")]
//!     data: Vec<u8>,
//! }
//!
//! let read: FileRead = serde_json::from_str(r#"{"buf-b64": "aGk="}"#)?;
//! assert_eq!(read.data, b"hi");
//! # Ok::<_, serde_json::Error>(())
//! ```
//!
//! This costs less than a field of another type: a client encodes straight into the request, and decodes straight from
//! what it has received.

use std::fmt::{self, Display};
use std::marker::PhantomData;

use base64_simd::{AsOut, STANDARD};
use serde::de::{Error, Visitor};
use serde::{Deserializer, Serialize, Serializer};

/// The name of a newtype around what is base64, by which this crate's readers and writers know it.
pub(crate) const NEWTYPE: &str = "$qga_core::base64";

/// How much is encoded at once where it passes through a formatter, in bytes; without a remainder by three.
const PIECE: usize = 3 * 1024;

/// Writes bytes as padded base64; as bytes into a format that is not for people.
///
/// # Errors
///
/// Those of the serializer.
pub fn serialize<B, S>(bytes: &B, serializer: S) -> Result<S::Ok, S::Error>
where
    B: AsRef<[u8]> + ?Sized,
    S: Serializer,
{
    serializer.serialize_newtype_struct(NEWTYPE, &Content(bytes.as_ref()))
}

/// Reads padded base64 without anything else in it.
///
/// # Errors
///
/// When it is something else, and those of the deserializer.
pub fn deserialize<'de, B, D>(deserializer: D) -> Result<B, D::Error>
where
    B: From<Vec<u8>>,
    D: Deserializer<'de>,
{
    deserializer.deserialize_newtype_struct(NEWTYPE, Decoded(PhantomData))
}

/// Encodes bytes onto the end of a buffer, with room for what closes a request.
pub(crate) fn encode(bytes: &[u8], to: &mut Vec<u8>) {
    const REST: usize = 64;
    to.reserve((bytes.len().div_ceil(3) * 4).saturating_add(REST));
    STANDARD.encode_append(bytes, to);
}

/// Decodes what must be base64 from its first byte to its last.
pub(crate) fn decode(encoded: &[u8]) -> Option<Vec<u8>> {
    STANDARD.decode_to_vec(encoded).ok()
}

struct Content<'a>(&'a [u8]);

impl Serialize for Content<'_> {
    #[inline]
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            serializer.serialize_bytes(self.0)
        }
    }
}

impl Display for Content<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut room = [0; PIECE / 3 * 4];
        let mut pieces = self.0.chunks(PIECE);
        pieces.try_for_each(|piece| f.write_str(STANDARD.encode_as_str(piece, room[..].as_out())))
    }
}

struct Decoded<B>(PhantomData<B>);

impl<'de, B: From<Vec<u8>>> Visitor<'de> for Decoded<B> {
    type Value = B;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("base64")
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<B, D::Error> {
        if inner.is_human_readable() {
            inner.deserialize_str(self)
        } else {
            inner.deserialize_byte_buf(self)
        }
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<B, E> {
        let decoded = decode(text.as_bytes());
        decoded
            .map(B::from)
            .ok_or_else(|| E::custom("this is not base64"))
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<B, E> {
        Ok(B::from(bytes.to_owned()))
    }

    fn visit_byte_buf<E: Error>(self, bytes: Vec<u8>) -> Result<B, E> {
        Ok(B::from(bytes))
    }
}
