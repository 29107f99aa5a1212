//! Bytes that are base64 in JSON.

use std::fmt;
use std::ops::Deref;

use qga_core::{Hidden, base64};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Bytes from the guest. In JSON they are base64, and `Debug` does not show them.
///
/// ```
/// use qga_commands::Bytes;
///
/// let bytes: Bytes = serde_json::from_str("\"aGk=\"")?;
/// assert_eq!(&*bytes, b"hi");
/// assert_eq!(bytes.to_text(), "hi");
/// assert_eq!(format!("{bytes:?}"), "<2 bytes>");
/// # Ok::<_, serde_json::Error>(())
/// ```
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Bytes(Vec<u8>);

impl Bytes {
    /// The bytes as text; what is not UTF-8 becomes U+FFFD.
    #[must_use]
    pub fn to_text(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(&self.0)
    }

    /// The bytes themselves.
    #[must_use]
    pub fn into_vec(self) -> Vec<u8> {
        self.0
    }
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl AsRef<[u8]> for Bytes {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl From<Vec<u8>> for Bytes {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

impl From<Bytes> for Vec<u8> {
    fn from(bytes: Bytes) -> Self {
        bytes.0
    }
}

/// Shows only their number, since they may hold secrets: a file with keys, or the output of a program.
impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Hidden::bytes(self).fmt(f)
    }
}

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        base64::serialize(&self.0, serializer)
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        base64::deserialize(deserializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_base64_is_an_error() {
        for text in ["\"a\"", "\"a b=\"", "7", "null"] {
            assert!(serde_json::from_str::<Bytes>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn debug_shows_how_many_bytes_there_are_and_none_of_them() {
        assert_eq!(format!("{:?}", Bytes(b"hello".to_vec())), "<5 bytes>");
    }

    #[test]
    fn bytes_come_back_as_they_went() {
        let bytes = Bytes((0..=255).collect());
        let json = serde_json::to_string(&bytes).unwrap();
        assert_eq!(serde_json::from_str::<Bytes>(&json).unwrap(), bytes);
    }

    #[test]
    fn base64_is_taken_as_strictly_as_by_another_decoder() {
        use ::base64::Engine as _;
        use ::base64::engine::general_purpose::STANDARD;

        let long = "QUJD".repeat(100);
        let letters = ["", "A", "Q", "R", "w", "/", "+", "=", "-", " ", "\n"];
        let pairs = letters.map(|a| letters.map(|b| [a, b].concat())).concat();
        for start in &pairs {
            for end in &pairs {
                for before in ["", &*long] {
                    let text = [before, start, end].concat();
                    let json = serde_json::to_string(&text).unwrap();
                    let ours = serde_json::from_str::<Bytes>(&json).ok();
                    let theirs = STANDARD.decode(&text).ok();
                    assert_eq!(ours.map(Bytes::into_vec), theirs, "{text:?}");
                }
            }
        }
    }
}
