//! Asks a value what it serializes as, without serializing the rest of it.

use serde::ser::{Error, Impossible};
use serde::{Serialize, Serializer};
use std::fmt::{self, Display};

use super::refuse::refuse;
use crate::base64;

/// Whether `value` is none, behind whatever alias, generic or newtype.
#[inline]
pub(crate) fn is_none<T: Serialize + ?Sized>(value: &T) -> bool {
    value.serialize(Probe::None).is_ok()
}

/// Writes a value with its quotes if it is base64, behind whatever alias, generic or newtype. Whether it was; nothing is
/// written otherwise.
#[inline]
pub(super) fn write_base64<T: Serialize + ?Sized>(value: &T, to: &mut Vec<u8>) -> bool {
    value.serialize(Probe::Base64(to)).is_ok()
}

/// Succeeds for what it is asked for, and stops at the first sign of anything else.
enum Probe<'a> {
    None,
    Base64(&'a mut Vec<u8>),
    /// Within the newtype of [`crate::base64`], which gives its bytes to a format that is not for people.
    Bytes(&'a mut Vec<u8>),
}

#[derive(Debug)]
struct Other;

impl Error for Other {
    fn custom<T: Display>(_: T) -> Self {
        Self
    }
}

impl std::error::Error for Other {}

impl Display for Other {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("something else")
    }
}

impl Serializer for Probe<'_> {
    type Ok = ();
    type Error = Other;
    type SerializeSeq = Impossible<(), Other>;
    type SerializeTuple = Impossible<(), Other>;
    type SerializeTupleStruct = Impossible<(), Other>;
    type SerializeTupleVariant = Impossible<(), Other>;
    type SerializeMap = Impossible<(), Other>;
    type SerializeStruct = Impossible<(), Other>;
    type SerializeStructVariant = Impossible<(), Other>;

    #[inline]
    fn is_human_readable(&self) -> bool {
        !matches!(self, Self::Bytes(_))
    }

    #[inline]
    fn serialize_none(self) -> Result<(), Other> {
        match self {
            Self::None => Ok(()),
            Self::Base64(_) | Self::Bytes(_) => Err(Other),
        }
    }

    #[inline]
    fn serialize_bytes(self, bytes: &[u8]) -> Result<(), Other> {
        let Self::Bytes(to) = self else {
            return Err(Other);
        };
        to.push(b'"');
        base64::encode(bytes, to);
        to.push(b'"');
        Ok(())
    }

    #[inline]
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Other> {
        value.serialize(self)
    }

    #[inline]
    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<(), Other> {
        match self {
            Self::Base64(to) if name == base64::NEWTYPE => value.serialize(Self::Bytes(to)),
            other => value.serialize(other),
        }
    }

    #[inline]
    fn serialize_map(self, _: Option<usize>) -> Result<Self::SerializeMap, Other> {
        Err(Other)
    }

    refuse!(Other, Other);
}
