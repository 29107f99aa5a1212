//! Decoding that takes whole numbers for integers however they are spelt.
//!
//! It stands between a reader of JSON text and the type that is read. All else passes through, so
//! floats, strings and raw JSON are as they would be without it.

use std::cell::RefCell;
use std::fmt;

use serde::Deserialize;
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error, MapAccess, SeqAccess, VariantAccess, Visitor,
};
use serde_json::value::RawValue;

use super::number::{respelt, whole};
use super::place::{Place, Step};
use super::words;

/// Which numbers are taken for integers.
#[derive(Clone, Copy)]
enum Spelling {
    /// Those that are written as integers.
    Plain,
    /// Those that are whole, where the type asks for an integer.
    Whole,
    /// Those that are whole, also where the type asks for anything, as untagged and flattened ones
    /// do.
    WholeAnywhere,
}

/// Why JSON does not fit a type, and where.
pub(crate) struct Misfit {
    pub(crate) error: serde_json::Error,
    /// From the innermost to the outermost.
    steps: Vec<Step>,
}

impl Misfit {
    /// The place in the JSON that was read.
    pub(crate) fn place<'a>(&self, json: &'a str) -> Place<'a> {
        Place::find(json, self.steps.iter().rev().copied())
    }
}

/// Decodes plainly, and if that fails, with ever more numbers taken for integers. The error is the last
/// one's.
pub(crate) fn from_str<'de, R: Deserialize<'de>>(json: &'de str) -> Result<R, Misfit> {
    let attempt = |spelling| {
        let state = State::new(spelling);
        let mut text = serde_json::Deserializer::from_str(json);
        R::deserialize(Lenient::new(&mut text, &state)).map_err(|error| Misfit {
            error,
            steps: state.steps.take(),
        })
    };
    attempt(Spelling::Plain)
        .or_else(|_| attempt(Spelling::Whole))
        .or_else(|_| attempt(Spelling::WholeAnywhere))
}

/// What all know that read one text.
struct State {
    spelling: Spelling,
    /// From where it failed outwards.
    steps: RefCell<Vec<Step>>,
}

impl State {
    fn new(spelling: Spelling) -> Self {
        Self {
            spelling,
            steps: RefCell::default(),
        }
    }

    /// Takes note of the way out of what has failed.
    fn leave(&self, step: Step) {
        self.steps.borrow_mut().push(step);
    }
}

/// A reader of JSON text, or what stands on the way from there to a type.
struct Lenient<'s, T> {
    inner: T,
    state: &'s State,
    /// How many elements or members were read of a list or object.
    count: usize,
}

impl<'s, T> Lenient<'s, T> {
    fn new(inner: T, state: &'s State) -> Self {
        let count = 0;
        Self {
            inner,
            state,
            count,
        }
    }

    fn with<U>(state: &'s State, inner: U) -> Lenient<'s, U> {
        Lenient::new(inner, state)
    }
}

/// An error about a piece of the text, whose columns would count from where the piece begins.
fn about_piece<E: Error>(error: &serde_json::Error) -> E {
    E::custom(words(error))
}

macro_rules! pass {
    ($($method:ident($($name:ident: $type:ty),*);)*) => {$(
        fn $method<V: Visitor<'de>>(self, $($name: $type,)* visitor: V) -> Result<V::Value, D::Error> {
            self.inner.$method($($name,)* Self::with(self.state, visitor))
        }
    )*};
}

macro_rules! integers {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
            match self.state.spelling {
                Spelling::Plain => self.inner.$method(visitor),
                Spelling::Whole | Spelling::WholeAnywhere => integer(self.inner, visitor),
            }
        }
    )*};
}

fn integer<'de, D: Deserializer<'de>, V: Visitor<'de>>(
    inner: D,
    visitor: V,
) -> Result<V::Value, D::Error> {
    let raw = <&RawValue>::deserialize(inner)?;
    match whole(raw.get()) {
        Some(number) => number.visit(visitor),
        None => raw
            .deserialize_any(visitor)
            .map_err(|error| about_piece(&error)),
    }
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Lenient<'_, D> {
    type Error = D::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        let Spelling::WholeAnywhere = self.state.spelling else {
            return self.inner.deserialize_any(Self::with(self.state, visitor));
        };
        let raw = <&RawValue>::deserialize(self.inner)?;
        let read = match respelt(raw.get()) {
            // Not from a string, since the visitor may borrow from one for longer than this one lives.
            Some(text) => {
                serde_json::Deserializer::from_reader(text.as_bytes()).deserialize_any(visitor)
            }
            None => raw.deserialize_any(visitor),
        };
        read.map_err(|error| about_piece(&error))
    }

    integers! {
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64
    }

    /// The reader would stop at the end of the digits, and take `1e3` for 1.
    fn deserialize_i128<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        integer(self.inner, visitor)
    }

    fn deserialize_u128<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        integer(self.inner, visitor)
    }

    pass! {
        deserialize_bool();
        deserialize_f32();
        deserialize_f64();
        deserialize_char();
        deserialize_str();
        deserialize_string();
        deserialize_bytes();
        deserialize_byte_buf();
        deserialize_option();
        deserialize_unit();
        deserialize_unit_struct(name: &'static str);
        deserialize_newtype_struct(name: &'static str);
        deserialize_seq();
        deserialize_tuple(length: usize);
        deserialize_tuple_struct(name: &'static str, length: usize);
        deserialize_map();
        deserialize_struct(name: &'static str, fields: &'static [&'static str]);
        deserialize_enum(name: &'static str, variants: &'static [&'static str]);
        deserialize_identifier();
        deserialize_ignored_any();
    }

    fn is_human_readable(&self) -> bool {
        self.inner.is_human_readable()
    }
}

macro_rules! visit {
    ($($method:ident($type:ty);)*) => {$(
        fn $method<E: Error>(self, value: $type) -> Result<V::Value, E> {
            self.inner.$method(value)
        }
    )*};
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Lenient<'_, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.expecting(f)
    }

    visit! {
        visit_bool(bool);
        visit_i8(i8);
        visit_i16(i16);
        visit_i32(i32);
        visit_i64(i64);
        visit_i128(i128);
        visit_u8(u8);
        visit_u16(u16);
        visit_u32(u32);
        visit_u64(u64);
        visit_u128(u128);
        visit_f32(f32);
        visit_f64(f64);
        visit_char(char);
        visit_str(&str);
        visit_borrowed_str(&'de str);
        visit_string(String);
        visit_bytes(&[u8]);
        visit_borrowed_bytes(&'de [u8]);
        visit_byte_buf(Vec<u8>);
    }

    fn visit_none<E: Error>(self) -> Result<V::Value, E> {
        self.inner.visit_none()
    }

    fn visit_unit<E: Error>(self) -> Result<V::Value, E> {
        self.inner.visit_unit()
    }

    fn visit_some<D: Deserializer<'de>>(self, value: D) -> Result<V::Value, D::Error> {
        self.inner.visit_some(Self::with(self.state, value))
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, value: D) -> Result<V::Value, D::Error> {
        let value = Self::with(self.state, value);
        self.inner.visit_newtype_struct(value)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<V::Value, A::Error> {
        self.inner.visit_seq(Self::with(self.state, items))
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<V::Value, A::Error> {
        self.inner.visit_map(Self::with(self.state, members))
    }

    fn visit_enum<A: EnumAccess<'de>>(self, variant: A) -> Result<V::Value, A::Error> {
        self.inner.visit_enum(Self::with(self.state, variant))
    }
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Lenient<'_, S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, value: D) -> Result<S::Value, D::Error> {
        self.inner.deserialize(Self::with(self.state, value))
    }
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Lenient<'_, A> {
    type Error = A::Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, A::Error> {
        let seed = Self::with(self.state, seed);
        let element = self.inner.next_element_seed(seed);
        if element.is_err() {
            self.state.leave(Step::Element(self.count));
        }
        self.count += 1;
        element
    }

    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint()
    }
}

/// A key, which stays as it is. With a type of its own, this reader leaves that of plain JSON the only one to read the
/// keys of a type, so that the compiler puts its code where it is used.
struct Key<S>(S);

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Key<S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, key: D) -> Result<S::Value, D::Error> {
        self.0.deserialize(key)
    }
}

/// Keys are strings.
impl<'de, A: MapAccess<'de>> MapAccess<'de> for Lenient<'_, A> {
    type Error = A::Error;

    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, A::Error> {
        let key = self.inner.next_key_seed(Key(seed));
        if key.is_err() {
            self.state.leave(Step::Member(self.count));
        }
        key
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        let seed = Self::with(self.state, seed);
        let value = self.inner.next_value_seed(seed);
        if value.is_err() {
            self.state.leave(Step::Member(self.count));
        }
        self.count += 1;
        value
    }

    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint()
    }
}

impl<'de, 's, A: EnumAccess<'de>> EnumAccess<'de> for Lenient<'s, A> {
    type Error = A::Error;
    type Variant = Lenient<'s, A::Variant>;

    fn variant_seed<S: DeserializeSeed<'de>>(
        self,
        seed: S,
    ) -> Result<(S::Value, Self::Variant), A::Error> {
        let (name, variant) = self.inner.variant_seed(seed)?;
        Ok((name, Self::with(self.state, variant)))
    }
}

impl<'de, A: VariantAccess<'de>> VariantAccess<'de> for Lenient<'_, A> {
    type Error = A::Error;

    fn unit_variant(self) -> Result<(), A::Error> {
        self.inner.unit_variant()
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, A::Error> {
        let seed = Self::with(self.state, seed);
        let value = self.inner.newtype_variant_seed(seed);
        if value.is_err() {
            self.state.leave(Step::Member(0));
        }
        value
    }

    fn tuple_variant<V: Visitor<'de>>(
        self,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, A::Error> {
        let visitor = Self::with(self.state, visitor);
        let value = self.inner.tuple_variant(length, visitor);
        if value.is_err() {
            self.state.leave(Step::Member(0));
        }
        value
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, A::Error> {
        let visitor = Self::with(self.state, visitor);
        let value = self.inner.struct_variant(fields, visitor);
        if value.is_err() {
            self.state.leave(Step::Member(0));
        }
        value
    }
}

#[cfg(test)]
#[path = "lenient/tests.rs"]
mod tests;
