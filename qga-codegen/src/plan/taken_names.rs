//! Names in Rust: fit to be names, and taken once.

use std::collections::HashMap;

use crate::config::{Config, Contents, PartEntry};
use crate::names::{camel, is_identifier, snake};
use crate::problem::{Name, Problem};

/// The names that are taken.
pub(super) struct TakenNames {
    taken: HashMap<String, String>,
    pub(super) problems: Vec<Problem>,
}

/// What generated modules import or take for granted, whatever the data file names.
const USED: &[&str] = &[
    "Box",
    "Debug",
    "Clone",
    "Copy",
    "Default",
    "Deserialize",
    "Eq",
    "Err",
    "EventKind",
    "From",
    "Hash",
    "Hidden",
    "Into",
    "IntoIterator",
    "JsonError",
    "None",
    "Ok",
    "Option",
    "PartialEq",
    "QgaCommand",
    "RawObject",
    "Result",
    "Serialize",
    "Some",
    "String",
    "TryFrom",
    "Value",
    "Vec",
    "bool",
    "f32",
    "f64",
    "fmt",
    "i8",
    "i16",
    "i32",
    "i64",
    "serde_json",
    "str",
    "u8",
    "u16",
    "u32",
    "u64",
];

impl TakenNames {
    /// Where types and commands are named.
    pub(super) fn items(config: &Config) -> Self {
        let mut used = USED.to_vec();
        used.extend(imported(&config.data));
        Self::with(&used, "something that generated code uses")
    }

    /// Where an enum's variants are named; the one for what is not known has its name.
    pub(super) fn variants() -> Self {
        Self::with(&["Unknown"], "the variant for what is not known")
    }

    /// Where fields are named; each may have a method of its name.
    pub(super) fn fields() -> Self {
        Self::with(&["new"], "the function that makes a value")
    }

    fn with(names: &[&str], what: &str) -> Self {
        let taken = names
            .iter()
            .map(|name| ((*name).to_owned(), what.to_owned()));
        Self {
            taken: taken.collect(),
            problems: Vec::new(),
        }
    }

    /// Takes the name of a variant.
    pub(super) fn variant(&mut self, part: &PartEntry, defined: &Name) -> String {
        let name = part.name.clone().unwrap_or_else(|| camel(&defined.text));
        self.take(&name, defined);
        name
    }

    /// Takes the name of a field.
    pub(super) fn field(&mut self, part: &PartEntry, defined: &Name) -> String {
        let name = part.name.clone().unwrap_or_else(|| snake(&defined.text));
        self.take(&name, defined);
        name
    }

    pub(super) fn take(&mut self, name: &str, defined: &Name) {
        if !is_identifier(name) {
            let message = format!(
                "`{name}` cannot be a name in Rust; the data file can give `{defined}` another"
            );
            self.problems.push(defined.problem(message));
        }
        let before = self.taken.insert(name.to_owned(), format!("`{defined}`"));
        if let Some(other) = before {
            let message = format!("in Rust, `{defined}` has the name of {other}: `{name}`");
            self.problems.push(defined.problem(message));
        }
    }
}

/// The names that modules import for what the data file names by its path.
fn imported(data: &Contents) -> impl Iterator<Item = &str> {
    let paths = &data.paths;
    let commands = data.commands.values();
    let replies = commands
        .clone()
        .filter_map(|command| command.returns.as_deref());
    let parts = commands
        .map(|command| &command.members)
        .chain(data.types.values().map(|ty| &ty.members));
    let members = parts.flat_map(|parts| parts.values());
    let own = [
        paths.bytes.as_deref(),
        paths.secret.as_deref(),
        paths.raw_event.as_deref(),
        paths.out_of_band.as_deref(),
        data.schema.protocol.as_deref(),
    ];
    own.into_iter()
        .flatten()
        .chain(replies)
        .chain(members.filter_map(|part| part.ty.as_deref()))
        .map(|path| path.rsplit("::").next().unwrap_or(path))
}
