//! What code written by the derive calls. Not public API.

#[path = "private/bytes.rs"]
mod bytes;
#[cfg(test)]
#[path = "private/tests.rs"]
mod tests;

pub use bytes::{Base64, Bytes};
pub use core::marker::{Send, Sync};
pub use core::option::Option::{self, None, Some};
pub use core::primitive::{bool, str, usize};
pub use serde::Serialize;
pub use serde::de::DeserializeOwned;

use serde::ser::{SerializeMap, Serializer};

use crate::json::is_none;

/// The arguments of a command: a list, nested in its type, that serializes as a map.
pub struct ArgumentList<L>(L);

/// The arguments in `before`, and one more.
pub struct With<L, V> {
    before: L,
    name: &'static str,
    value: V,
}

impl ArgumentList<()> {
    /// No arguments yet.
    #[expect(clippy::new_without_default, reason = "only the derive calls it")]
    #[inline]
    #[must_use]
    pub fn new() -> Self {
        Self(())
    }
}

impl<L> ArgumentList<L> {
    /// Adds an argument.
    #[inline]
    pub fn with<'a, A, V>(self, name: &'static str, value: &'a A) -> ArgumentList<With<L, &'a V>>
    where
        A: Argument<V> + ?Sized,
        V: ?Sized,
    {
        self.and(name, value.value())
    }

    /// Adds an argument that travels as base64.
    #[inline]
    pub fn with_base64<'a, B>(
        self,
        name: &'static str,
        value: &'a B,
    ) -> ArgumentList<With<L, Base64<'a>>>
    where
        B: Bytes + ?Sized,
    {
        self.and(name, Base64(value.bytes()))
    }

    #[inline]
    fn and<V>(self, name: &'static str, value: V) -> ArgumentList<With<L, V>> {
        let before = self.0;
        ArgumentList(With {
            before,
            name,
            value,
        })
    }
}

impl<L: Entries> Serialize for ArgumentList<L> {
    #[inline]
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        self.0.write(&mut map)?;
        map.end()
    }
}

/// A list of arguments, which can be written into a map.
pub trait Entries {
    /// Writes those that are not none: an agent refuses `null` for an argument that may be absent.
    fn write<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error>;
}

impl Entries for () {
    #[inline]
    fn write<M: SerializeMap>(&self, _: &mut M) -> Result<(), M::Error> {
        Ok(())
    }
}

impl<L: Entries, V: Serialize> Entries for With<L, V> {
    #[inline]
    fn write<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        self.before.write(map)?;
        if is_none(&self.value) {
            return Ok(());
        }
        map.serialize_entry(self.name, &self.value)
    }
}

/// What a field may hold: a `V`, which serializes.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be an argument",
    label = "does not implement `serde::Serialize`",
    note = "write `#[derive(serde::Serialize)]` above that type, or leave the field out with `#[qga(skip)]`"
)]
pub trait Argument<V: ?Sized> {
    /// The value to serialize.
    fn value(&self) -> &V;
}

impl<T: Serialize + ?Sized> Argument<T> for T {
    #[inline]
    fn value(&self) -> &T {
        self
    }
}

// This holds for no type, but leaves `V` open for one that does not serialize. The compiler then
// reports that type once, at its field, and not a second time for the list that it is part of.
impl<T: Nothing + ?Sized> Argument<()> for T {
    fn value(&self) -> &() {
        &()
    }
}

trait Nothing {}
