//! Schemas in the QAPI language: read, and checked for sense.

mod check;
mod condition;
mod define;
mod lexer;
mod load;
mod model;
mod object_reader;
mod parser;

#[cfg(test)]
mod tests;

use std::path::Path;

pub use condition::Condition;
pub use model::{
    Base, Command, Data, EnumValue, Event, Feature, Kind, Member, Schema, Type, TypeRef, builtin,
};

use crate::problem::Problems;

impl Schema {
    /// Reads a schema and the files that it includes, and checks it.
    ///
    /// # Errors
    ///
    /// When a file cannot be read, is not in the language, or makes no sense: a type that is not
    /// defined, a loop of bases, a name that is there twice.
    pub fn read(path: &Path) -> Result<Self, Problems> {
        let schema = load::load(path)?;
        Problems::or(check::problems(&schema), schema)
    }

    /// Reads a schema from text and checks it; `file` is what errors call it.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    pub fn parse(file: &str, text: &str) -> Result<Self, Problems> {
        let schema = load::load_text(file, text)?;
        Problems::or(check::problems(&schema), schema)
    }
}
