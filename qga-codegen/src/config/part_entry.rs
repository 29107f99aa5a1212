//! What there is to say about a member, an argument, a value or a branch.

use std::fmt;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};

/// A part of a command or a type. Where there is only its documentation, that is enough.
#[derive(Debug, Default)]
pub(crate) struct PartEntry {
    pub(crate) doc: String,
    pub(crate) name: Option<String>,
    pub(crate) since: Option<String>,
    /// A path to the Rust type, in place of the one that the schema implies.
    pub(crate) ty: Option<String>,
    pub(crate) base64: bool,
    pub(crate) secret: bool,
    /// Whether `Debug` does not show it. What is `base64` or `secret` is not shown either.
    pub(crate) hidden: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PartTable {
    doc: String,
    name: Option<String>,
    since: Option<String>,
    #[serde(rename = "type")]
    ty: Option<String>,
    #[serde(default)]
    base64: bool,
    #[serde(default)]
    secret: bool,
    #[serde(default)]
    hidden: bool,
}

impl<'de> Deserialize<'de> for PartEntry {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PartVisitor)
    }
}

struct PartVisitor;

impl<'de> Visitor<'de> for PartVisitor {
    type Value = PartEntry;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a sentence, or a table with `doc`")
    }

    fn visit_str<E>(self, doc: &str) -> Result<PartEntry, E> {
        Ok(PartEntry {
            doc: doc.to_owned(),
            ..PartEntry::default()
        })
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<PartEntry, A::Error> {
        let table = PartTable::deserialize(MapAccessDeserializer::new(map))?;
        Ok(PartEntry {
            doc: table.doc,
            name: table.name,
            since: table.since,
            ty: table.ty,
            base64: table.base64,
            secret: table.secret,
            hidden: table.hidden,
        })
    }
}
