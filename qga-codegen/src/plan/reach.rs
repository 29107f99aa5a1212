//! Which types lead to which.

use std::collections::HashSet;

use crate::schema::{Data, Kind, Member, Schema, Type};

/// The members of all kinds that a type has, its bases' among them.
fn parts<'a>(schema: &'a Schema, ty: &'a Type) -> Vec<&'a Member> {
    let members = schema.members_of(ty).into_iter().map(|(_, member)| member);
    members.chain(ty.branches()).collect()
}

/// The types that values of commands' arguments are made of.
pub(super) fn inputs(schema: &Schema) -> HashSet<&str> {
    let mut seen = HashSet::new();
    for command in &schema.commands {
        for member in arguments(schema, &command.data) {
            visit(schema, member, true, &mut seen);
        }
    }
    seen
}

/// A command's arguments.
pub(super) fn arguments<'a>(schema: &'a Schema, data: &'a Data) -> Vec<&'a Member> {
    match data {
        Data::None => Vec::new(),
        Data::Inline(members) => members.iter().collect(),
        Data::Named(name) => schema
            .type_named(&name.text)
            .map(|ty| parts(schema, ty))
            .unwrap_or_default(),
    }
}

/// Whether a value of `ty` would hold another of the same type without a list between them.
pub(super) fn holds_itself(schema: &Schema, ty: &Type, member: &Member) -> bool {
    let mut seen = HashSet::new();
    visit(schema, member, false, &mut seen);
    seen.contains(ty.name.text.as_str())
}

/// Whether a value has a float somewhere in it.
pub(super) fn has_float(schema: &Schema, ty: &Type) -> bool {
    let mut seen = HashSet::new();
    for member in parts(schema, ty) {
        visit(schema, member, true, &mut seen);
    }
    seen.insert(ty.name.text.as_str());
    let types = schema
        .types
        .iter()
        .filter(|ty| seen.contains(ty.name.text.as_str()));
    types
        .flat_map(|ty| parts(schema, ty))
        .any(|member| member.ty.name.text == "number")
}

fn visit<'a>(schema: &'a Schema, member: &'a Member, lists: bool, seen: &mut HashSet<&'a str>) {
    if member.ty.list && !lists {
        return;
    }
    let name = member.ty.name.text.as_str();
    if let Some(ty) = schema.type_named(name)
        && seen.insert(name)
        && !matches!(ty.kind, Kind::Enum { .. })
    {
        for part in parts(schema, ty) {
            visit(schema, part, lists, seen);
        }
    }
}
