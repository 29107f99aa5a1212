//! What the mention of a type in the schema becomes in Rust.

use super::planner::Planner;
use super::{Parameter, RustType};
use crate::schema::{Kind, Member, TypeRef};

impl<'a> Planner<'a> {
    /// The type of a member. One that would hold itself is in a box.
    pub(super) fn member_type(&self, member: &'a Member, module: &str) -> RustType {
        let plain = self.type_ref(&member.ty, module);
        match self.schema.type_named(&member.ty.name.text) {
            Some(ty) if !member.ty.list && self.graph.is_recursive(ty) => plain.boxed(),
            _ => plain,
        }
    }

    /// A type as `module` names it.
    pub(super) fn type_ref(&self, mention: &TypeRef, module: &str) -> RustType {
        let name = mention.name.text.as_str();
        let ty = RustType::builtin(name).unwrap_or_else(|| match self.types.get(name) {
            Some(path) if path.module == module => RustType::path(&path.name, self.parameter(name)),
            Some(path) => {
                let path = format!("super::{}::{}", path.module, path.name);
                RustType::path(&path, self.parameter(name))
            }
            None => RustType::path(name, Parameter::Exact),
        });
        as_mentioned(ty, mention)
    }

    /// What an alternate may be, a caller hands over without naming it.
    fn parameter(&self, name: &str) -> Parameter {
        match self.schema.type_named(name).map(|ty| &ty.kind) {
            Some(Kind::Alternate { .. }) => Parameter::Into,
            _ => Parameter::Exact,
        }
    }
}

/// A type by the path that the data file names. Numbers are handed over as they are.
pub(super) fn named_in_config(path: &str, mention: &TypeRef) -> RustType {
    let parameter = if RustType::is_number(path) {
        Parameter::Exact
    } else {
        Parameter::Into
    };
    as_mentioned(RustType::path(path, parameter), mention)
}

/// The type, or a list of it where the schema has a list.
pub(super) fn as_mentioned(ty: RustType, mention: &TypeRef) -> RustType {
    if mention.list { ty.list() } else { ty }
}
