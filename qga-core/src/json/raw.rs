//! A JSON object that nobody has interpreted yet.

use std::fmt::{self, Display};

use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, Error, MapAccess, Visitor};
use serde::forward_to_deserialize_any;
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;

use super::error::{JsonError, words};
use super::reader;
use crate::text::Excerpt;

/// A JSON object whose members are kept as they were written, digit by digit.
///
/// It is what a type keeps of an answer that it does not know: written again, it is what came, also
/// where a number is too long or too precise for Rust's numbers. A [`Value`] would change those.
///
/// ```
/// use qga_core::RawObject;
///
/// let json = r#"{"type":"nvme","serial":28888888888888888888888888888888880,"spare":0.50}"#;
/// let object: RawObject = serde_json::from_str(json)?;
/// assert_eq!(object.get("spare"), Some("0.50"));
/// assert_eq!(serde_json::to_string(&object)?, json);
/// # Ok::<_, serde_json::Error>(())
/// ```
///
/// It compares as it was written: `1.0` is another value than `1`.
#[derive(Clone, Default)]
pub struct RawObject(Vec<(String, Box<RawValue>)>);

impl RawObject {
    /// The JSON of a member, as it was written. Of members with the same name it is the first.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.raw(name).map(RawValue::get)
    }

    /// The names and the JSON of all members, in the order in which they were written.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let members = self.0.iter();
        members.map(|(name, value)| (name.as_str(), value.get()))
    }

    /// Decodes the whole object.
    ///
    /// # Errors
    ///
    /// When the object does not fit the type. The message begins with the place inside the object.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, JsonError> {
        let text = serde_json::to_string(self).map_err(JsonError::new)?;
        reader::from_str(&text).map_err(|misfit| at(&misfit.place.path, &misfit.error))
    }

    /// The text of a member that must be there, such as the one that tells which kind of object it is.
    ///
    /// # Errors
    ///
    /// When it is missing or no text.
    pub fn text(&self, name: &'static str) -> Result<String, JsonError> {
        decoded(self.raw(name), name)?.ok_or_else(|| missing(name))
    }

    /// Decodes a member that must be there, and takes it out.
    ///
    /// # Errors
    ///
    /// When it is missing or does not fit the type.
    pub fn take<T: DeserializeOwned>(&mut self, name: &'static str) -> Result<T, JsonError> {
        self.take_optional(name)?.ok_or_else(|| missing(name))
    }

    /// Decodes a member that may be missing or null, and takes it out.
    ///
    /// # Errors
    ///
    /// When it is there and does not fit the type.
    pub fn take_optional<T: DeserializeOwned>(
        &mut self,
        name: &str,
    ) -> Result<Option<T>, JsonError> {
        let taken = decoded(self.raw(name), name)?;
        self.0.retain(|member| member.0 != name);
        Ok(taken.flatten())
    }

    fn raw(&self, name: &str) -> Option<&RawValue> {
        let member = self.0.iter().find(|member| member.0 == name)?;
        Some(&member.1)
    }
}

fn decoded<T: DeserializeOwned>(
    value: Option<&RawValue>,
    name: &str,
) -> Result<Option<T>, JsonError> {
    let Some(value) = value else {
        return Ok(None);
    };
    reader::from_str(value.get()).map_err(|misfit| {
        let path = match misfit.place.path.as_str() {
            "." => name.to_owned(),
            below if below.starts_with('[') => format!("{name}{below}"),
            below => format!("{name}.{below}"),
        };
        at(&path, &misfit.error)
    })
}

fn missing(name: &'static str) -> JsonError {
    JsonError::new(Error::missing_field(name))
}

fn at(path: &str, error: &serde_json::Error) -> JsonError {
    let words = words(error);
    JsonError::new(Error::custom(match path {
        "." => words,
        path => format!("`{path}`: {words}"),
    }))
}

impl PartialEq for RawObject {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for RawObject {}

impl fmt::Debug for RawObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let members = self.iter();
        f.debug_map()
            .entries(members.map(|(name, value)| (Excerpt(name), Json(value))))
            .finish()
    }
}

/// JSON, which has its quotes itself.
struct Json<'a>(&'a str);

impl fmt::Debug for Json<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Display::fmt(&Excerpt(self.0), f)
    }
}

impl Serialize for RawObject {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for RawObject {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Members)
    }
}

struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = RawObject;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawObject, A::Error> {
        let mut members = Vec::new();
        while let Some(name) = map.next_key()? {
            let Member(value) = map.next_value()?;
            members.push((name, value));
        }
        Ok(RawObject(members))
    }
}

struct Member(Box<RawValue>);

impl<'de> Deserialize<'de> for Member {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Deserialize::deserialize(TextOrValue(deserializer)).map(Self)
    }
}

/// A reader of JSON text, or one of values that serde has buffered, as it does for untagged and
/// flattened types: their text is gone, and is made anew.
struct TextOrValue<T>(T);

impl<'de, D: Deserializer<'de>> Deserializer<'de> for TextOrValue<D> {
    type Error = D::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_any(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        let visitor = TextOrValue((name, visitor));
        self.0.deserialize_newtype_struct(name, visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

impl<'de, V: Visitor<'de>> Visitor<'de> for TextOrValue<(&'static str, V)> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.1.expecting(f)
    }

    fn visit_map<A: MapAccess<'de>>(self, text: A) -> Result<V::Value, A::Error> {
        self.0.1.visit_map(text)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, value: D) -> Result<V::Value, D::Error> {
        let (name, visitor) = self.0;
        Value::deserialize(value)?
            .deserialize_newtype_struct(name, visitor)
            .map_err(Error::custom)
    }
}

#[cfg(test)]
#[path = "raw/tests.rs"]
mod tests;
