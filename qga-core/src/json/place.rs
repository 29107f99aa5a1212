//! The place in JSON that does not fit a type.

use std::fmt::Write as _;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// One level down in JSON, counted from zero.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    Element(usize),
    Member(usize),
}

/// A place in JSON, as somebody writes it who reads it, and what stands there.
pub(crate) struct Place<'a> {
    /// Such as `[3].ip-addresses[0].prefix`; `.` is the whole.
    pub(crate) path: String,
    /// What stands there, or the last on the way to it that is there.
    pub(crate) piece: &'a str,
}

impl<'a> Place<'a> {
    /// Finds a place by the steps to it from the outermost value.
    pub(super) fn find(json: &'a str, steps: impl Iterator<Item = Step>) -> Self {
        let (mut path, mut piece) = (String::new(), json);
        for step in steps {
            let found = Child::find(piece, step);
            match (step, found.as_ref().map(|child| &*child.name)) {
                (Step::Element(index), _) => _ = write!(path, "[{index}]"),
                (Step::Member(_), name) => {
                    let dot = if path.is_empty() { "" } else { "." };
                    path.extend([dot, name.unwrap_or("?")]);
                }
            }
            let Some(Child { json, .. }) = found else {
                break;
            };
            piece = json;
        }
        if path.is_empty() {
            path.push('.');
        }
        Self { path, piece }
    }
}

/// An element of a list, or a member of an object.
pub(super) struct Child<'a> {
    /// Empty for an element.
    name: String,
    json: &'a str,
}

impl<'a> Child<'a> {
    fn find(json: &'a str, step: Step) -> Option<Self> {
        let mut json = serde_json::Deserializer::from_str(json);
        step.deserialize(&mut json).ok()?
    }
}

impl<'de> DeserializeSeed<'de> for Step {
    type Value = Option<Child<'de>>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        match self {
            Self::Element(_) => json.deserialize_seq(self),
            Self::Member(_) => json.deserialize_map(self),
        }
    }
}

impl<'de> Visitor<'de> for Step {
    type Value = Option<Child<'de>>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a list or an object")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let Self::Element(index) = self else {
            return Ok(None);
        };
        for _ in 0..index {
            list.next_element::<IgnoredAny>()?;
        }
        let element: Option<&RawValue> = list.next_element()?;
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(element.map(|json| Child {
            name: String::new(),
            json: json.get(),
        }))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Self::Value, A::Error> {
        let Self::Member(index) = self else {
            return Ok(None);
        };
        for _ in 0..index {
            object.next_entry::<IgnoredAny, IgnoredAny>()?;
        }
        let member: Option<(String, &RawValue)> = object.next_entry()?;
        while object.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(member.map(|(name, json)| Child {
            name,
            json: json.get(),
        }))
    }
}
