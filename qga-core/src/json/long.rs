//! Objects with long texts in them, such as the bytes of a file, which are looked at as seldom as may be.

use std::fmt::{self, Display};

use serde::de::value::StrDeserializer;
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, Error, IntoDeserializer, MapAccess, Visitor,
};

use crate::base64;

/// A shorter text is read with the rest of its object, in bytes.
const LONG: usize = 1024;

/// With more members than these it is another kind of object.
pub(crate) const MOST_MEMBERS: usize = 32;

/// Reads a flat object that has a long text in it, and neither escapes nor spelling that needs care. `None` is no error:
/// whatever else it is, it is for a reader of all JSON to find.
pub(crate) fn from_long_object<R: DeserializeOwned>(json: &[u8]) -> Option<R> {
    if json.len() <= LONG {
        return None;
    }
    R::deserialize(Object(split(json)?)).ok()
}

/// Reads `{}`, by the code that reads long objects.
pub(crate) fn from_empty_object<R: DeserializeOwned>() -> Option<R> {
    R::deserialize(Object(Vec::new())).ok()
}

/// A member's name, and its value as it is spelt; of a text, what is between the quotes.
struct Member<'a> {
    name: &'a str,
    value: Value<'a>,
}

#[derive(Clone, Copy)]
enum Value<'a> {
    Text(&'a [u8]),
    Other(&'a str),
}

fn split(json: &[u8]) -> Option<Vec<Member<'_>>> {
    let mut rest = json.trim_ascii().strip_prefix(b"{")?.strip_suffix(b"}")?;
    let mut members = Vec::with_capacity(4);
    let mut is_long = false;
    loop {
        let (name, after) = text(rest)?;
        let (value, after) = value(after.trim_ascii_start().strip_prefix(b":")?)?;
        is_long |= matches!(value, Value::Text(text) if text.len() > LONG);
        let name = checked(name)?;
        members.push(Member { name, value });
        let after = after.trim_ascii_start();
        if after.is_empty() {
            return Some(members).filter(|_| is_long);
        }
        rest = after
            .strip_prefix(b",")
            .filter(|_| members.len() < MOST_MEMBERS)?;
    }
}

/// What is between the quotes of a text without escapes, and what follows it.
fn text(json: &[u8]) -> Option<(&[u8], &[u8])> {
    let inside = json.trim_ascii_start().strip_prefix(b"\"")?;
    let end = memchr::memchr2(b'"', b'\\', inside)?;
    let after = inside.get(end..)?.strip_prefix(b"\"")?;
    Some((inside.get(..end)?, after))
}

fn value(json: &[u8]) -> Option<(Value<'_>, &[u8])> {
    let json = json.trim_ascii_start();
    if json.starts_with(b"\"") {
        return text(json).map(|(text, after)| (Value::Text(text), after));
    }
    let end = json.iter().position(|byte| matches!(byte, b',' | b'"'));
    let (value, after) = json.split_at_checked(end.unwrap_or(json.len()))?;
    let value = checked(value.trim_ascii())?;
    let is_flat = !value.contains(['{', '[', '}', ']']);
    is_flat.then_some((Value::Other(value), after))
}

/// What JSON allows between quotes.
fn checked(text: &[u8]) -> Option<&str> {
    let lowest = text.iter().fold(u8::MAX, |lowest, byte| lowest.min(*byte));
    let text = std::str::from_utf8(text).ok();
    text.filter(|_| lowest >= b' ')
}

/// This needs a reader of all JSON, which will find the words if it is an error.
#[derive(Debug)]
struct Unlike;

impl Error for Unlike {
    fn custom<T: Display>(_: T) -> Self {
        Self
    }
}

impl std::error::Error for Unlike {}

impl Display for Unlike {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("this needs a reader of all JSON")
    }
}

struct Object<'a>(Vec<Member<'a>>);

macro_rules! unlike {
    ($($method:ident($($argument:ty),*);)*) => {$(
        fn $method<V: Visitor<'de>>(self, $(_: $argument,)* _: V) -> Result<V::Value, Unlike> {
            Err(Unlike)
        }
    )*};
}

/// What is no object for serde is refused.
impl<'de> Deserializer<'de> for Object<'de> {
    type Error = Unlike;

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unlike> {
        let mut members = Members {
            members: self.0.into_iter(),
            value: None,
        };
        let value = visitor.visit_map(&mut members)?;
        let is_read = members.members.len() == 0 && members.value.is_none();
        is_read.then_some(value).ok_or(Unlike)
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unlike> {
        self.deserialize_map(visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unlike> {
        self.deserialize_map(visitor)
    }

    unlike! {
        deserialize_bool(); deserialize_char(); deserialize_str(); deserialize_string();
        deserialize_i8(); deserialize_i16(); deserialize_i32(); deserialize_i64(); deserialize_i128();
        deserialize_u8(); deserialize_u16(); deserialize_u32(); deserialize_u64(); deserialize_u128();
        deserialize_f32(); deserialize_f64(); deserialize_bytes(); deserialize_byte_buf();
        deserialize_option(); deserialize_unit(); deserialize_unit_struct(&'static str);
        deserialize_newtype_struct(&'static str); deserialize_seq(); deserialize_tuple(usize);
        deserialize_tuple_struct(&'static str, usize);
        deserialize_enum(&'static str, &'static [&'static str]);
        deserialize_identifier(); deserialize_ignored_any();
    }
}

struct Members<'a> {
    members: std::vec::IntoIter<Member<'a>>,
    value: Option<Value<'a>>,
}

impl<'de> MapAccess<'de> for &mut Members<'de> {
    type Error = Unlike;

    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Unlike> {
        let Some(Member { name, value }) = self.members.next() else {
            return Ok(None);
        };
        self.value = Some(value);
        let name: StrDeserializer<'_, Unlike> = name.into_deserializer();
        seed.deserialize(name).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Unlike> {
        match self.value.take().ok_or(Unlike)? {
            Value::Text(text) => seed.deserialize(Text(text)),
            Value::Other(json) => {
                let mut reader = serde_json::Deserializer::from_str(json);
                let value = seed.deserialize(&mut reader);
                let value = value.map_err(|_| Unlike)?;
                reader.end().map_err(|_| Unlike)?;
                Ok(value)
            }
        }
    }
}

/// A text without escapes.
struct Text<'a>(&'a [u8]);

impl<'de> Deserializer<'de> for Text<'de> {
    type Error = Unlike;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unlike> {
        visitor.visit_borrowed_str(checked(self.0).ok_or(Unlike)?)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unlike> {
        self.deserialize_any(visitor)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unlike> {
        self.deserialize_any(visitor)
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unlike> {
        self.deserialize_any(visitor)
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unlike> {
        self.deserialize_any(visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unlike> {
        self.deserialize_any(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unlike> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Unlike> {
        if name == base64::NEWTYPE {
            return visitor.visit_byte_buf(base64::decode(self.0).ok_or(Unlike)?);
        }
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unlike> {
        let text: StrDeserializer<'_, Unlike> = checked(self.0).ok_or(Unlike)?.into_deserializer();
        visitor.visit_enum(text)
    }

    unlike! {
        deserialize_bool();
        deserialize_i8(); deserialize_i16(); deserialize_i32(); deserialize_i64(); deserialize_i128();
        deserialize_u8(); deserialize_u16(); deserialize_u32(); deserialize_u64(); deserialize_u128();
        deserialize_f32(); deserialize_f64(); deserialize_bytes(); deserialize_byte_buf();
        deserialize_unit(); deserialize_unit_struct(&'static str);
        deserialize_seq(); deserialize_tuple(usize); deserialize_tuple_struct(&'static str, usize);
        deserialize_map(); deserialize_struct(&'static str, &'static [&'static str]);
    }
}

#[cfg(test)]
#[path = "long/tests.rs"]
mod tests;
