//! A schema and its data file joined: what is to be written, under which names.

mod build;
mod entries;
mod fields;
mod reach;
mod rust_type;
mod table;
mod types;
mod unique;

use crate::config::{Config, Retry};
use crate::place::Problems;
use crate::schema::Schema;

pub(crate) use rust_type::{RustType, Shape};

/// All that is to be written.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) modules: Vec<Module>,
    pub(crate) table: Option<Table>,
}

#[derive(Debug)]
pub(crate) struct Module {
    pub(crate) name: String,
    pub(crate) doc: String,
    pub(crate) commands: Vec<Command>,
    pub(crate) types: Vec<Type>,
}

/// The table of commands.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) path: String,
    pub(crate) rows: Vec<Row>,
}

#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) wire: String,
    pub(crate) module: String,
    pub(crate) name: String,
    pub(crate) doc: String,
    pub(crate) since: String,
    pub(crate) platforms: Vec<String>,
    pub(crate) arguments: Vec<(String, String, bool)>,
    pub(crate) returns: Option<String>,
    pub(crate) success_response: bool,
    pub(crate) retry: Retry,
    pub(crate) check: Option<String>,
    pub(crate) while_frozen: bool,
}

#[derive(Debug)]
pub(crate) struct Command {
    pub(crate) wire: String,
    pub(crate) name: String,
    pub(crate) doc: String,
    pub(crate) response: Option<RustType>,
    pub(crate) success_response: bool,
    pub(crate) retry: Retry,
    pub(crate) check: Option<String>,
    pub(crate) reply_limit: Option<String>,
    pub(crate) secret_reply: bool,
    pub(crate) fields: Vec<Field>,
}

#[derive(Debug)]
pub(crate) struct Type {
    pub(crate) name: String,
    pub(crate) doc: String,
    pub(crate) kind: Kind,
    /// Whether a command takes it, so that users must be able to make one.
    pub(crate) input: bool,
    /// Whether every value equals itself, which a float's not-a-number does not.
    pub(crate) eq: bool,
}

#[derive(Debug)]
pub(crate) enum Kind {
    Struct(Vec<Field>),
    Enum(Vec<Variant>),
    Union(Union),
    Alternate(Vec<Variant>),
}

/// A union. With members beside the discriminator it becomes a struct that has an enum.
#[derive(Debug)]
pub(crate) struct Union {
    pub(crate) discriminator: String,
    pub(crate) fields: Vec<Field>,
    pub(crate) branches: Vec<Variant>,
}

#[derive(Clone, Debug)]
pub(crate) struct Field {
    pub(crate) wire: String,
    pub(crate) name: String,
    pub(crate) doc: String,
    pub(crate) ty: RustType,
    pub(crate) optional: bool,
    /// Whether the derive is to send it as base64.
    pub(crate) base64: bool,
    /// Whether `Debug` does not show it, and what it tells instead.
    pub(crate) hidden: Option<Hide>,
}

/// What `Debug` tells of a value that it does not show.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Hide {
    /// How many bytes it has.
    Bytes,
    /// How many items it has.
    Items,
    /// Nothing.
    Value,
}

#[derive(Debug)]
pub(crate) struct Variant {
    pub(crate) wire: String,
    pub(crate) name: String,
    pub(crate) doc: String,
    pub(crate) ty: Option<RustType>,
}

impl Plan {
    /// Joins a schema and its data file.
    pub(crate) fn new(schema: &Schema, config: &Config) -> Result<Self, Problems> {
        build::plan(schema, config)
    }
}

/// What a schema's definition is called in Rust, and where it is.
#[derive(Clone, Debug)]
pub(crate) struct Home<'a> {
    pub(crate) module: &'a str,
    pub(crate) name: String,
}
