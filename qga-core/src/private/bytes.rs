//! Arguments that travel as base64.

use serde::{Serialize, Serializer};
use std::borrow::Cow;
use std::sync::Arc;

use crate::base64;

/// Bytes that serialize as padded base64, straight into the output.
pub struct Base64<'a>(pub(super) Option<&'a [u8]>);

impl Serialize for Base64<'_> {
    #[inline]
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Some(bytes) => base64::serialize(bytes, serializer),
            None => serializer.serialize_none(),
        }
    }
}

/// What a `base64` field may hold.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be sent as base64",
    label = "this holds no bytes",
    note = "a `#[qga(base64)]` field is bytes (`Vec<u8>`, `[u8; N]`, `[u8]`) or text (`String`, `str`), \
            also behind `&`, `Box`, `Arc` or `Cow`, and also in an `Option`"
)]
pub trait Bytes {
    /// The bytes; `None` leaves the argument out.
    fn bytes(&self) -> Option<&[u8]>;
}

impl Bytes for [u8] {
    #[inline]
    fn bytes(&self) -> Option<&[u8]> {
        Some(self)
    }
}

impl<const N: usize> Bytes for [u8; N] {
    #[inline]
    fn bytes(&self) -> Option<&[u8]> {
        Some(self)
    }
}

impl Bytes for str {
    #[inline]
    fn bytes(&self) -> Option<&[u8]> {
        Some(self.as_bytes())
    }
}

impl Bytes for Vec<u8> {
    #[inline]
    fn bytes(&self) -> Option<&[u8]> {
        Bytes::bytes(&**self)
    }
}

impl Bytes for String {
    #[inline]
    fn bytes(&self) -> Option<&[u8]> {
        Bytes::bytes(&**self)
    }
}

impl<T: Bytes + ?Sized> Bytes for &T {
    #[inline]
    fn bytes(&self) -> Option<&[u8]> {
        Bytes::bytes(&**self)
    }
}

impl<T: Bytes + ?Sized> Bytes for Box<T> {
    #[inline]
    fn bytes(&self) -> Option<&[u8]> {
        Bytes::bytes(&**self)
    }
}

impl<T: Bytes + ?Sized> Bytes for Arc<T> {
    #[inline]
    fn bytes(&self) -> Option<&[u8]> {
        Bytes::bytes(&**self)
    }
}

impl<T: Bytes + ToOwned + ?Sized> Bytes for Cow<'_, T> {
    #[inline]
    fn bytes(&self) -> Option<&[u8]> {
        Bytes::bytes(&**self)
    }
}

impl<T: Bytes> Bytes for Option<T> {
    #[inline]
    fn bytes(&self) -> Option<&[u8]> {
        self.as_ref()?.bytes()
    }
}
