//! Which types lead to which.

use std::collections::HashMap;

use crate::schema::{Data, Member, Schema, Type};

/// The types that each type has a part of. They are looked up once: schemas can be large.
pub(super) struct TypeGraph<'a> {
    types: HashMap<&'a str, usize>,
    inputs: Vec<bool>,
    recursive: Vec<bool>,
    floats: Vec<bool>,
}

impl<'a> TypeGraph<'a> {
    pub(super) fn new(schema: &'a Schema) -> Self {
        let names = schema.types.iter().map(|ty| ty.name.text.as_str());
        let types: HashMap<_, _> = names.zip(0..).collect();
        let index = |member: &&Member| types.get(member.ty.name.text.as_str()).copied();
        let parts: Vec<_> = schema.types.iter().map(|ty| parts(schema, ty)).collect();
        let all: Edges = parts
            .iter()
            .map(|parts| parts.iter().filter_map(index).collect())
            .collect();
        // A list ends the chain: an empty one holds nothing.
        let held: Edges = parts
            .iter()
            .map(|parts| {
                parts
                    .iter()
                    .filter(|part| !part.ty.list)
                    .filter_map(index)
                    .collect()
            })
            .collect();
        let with_float = (0..)
            .zip(&parts)
            .filter(|(_, parts)| parts.iter().any(|part| is_float(part)));
        let given = schema
            .commands
            .iter()
            .flat_map(|command| arguments(schema, &command.data));
        Self {
            inputs: from(&all, given.filter_map(|member| index(&member))),
            recursive: (0..held.len())
                .map(|ty| leads_to_itself(&held, ty))
                .collect(),
            floats: from(&reverse(&all), with_float.map(|(ty, _)| ty)),
            types,
        }
    }

    /// Whether values of commands' arguments are made of it.
    pub(super) fn is_input(&self, ty: &Type) -> bool {
        self.is(&self.inputs, ty)
    }

    /// Whether a value would hold another of the same type without a list between them.
    pub(super) fn is_recursive(&self, ty: &Type) -> bool {
        self.is(&self.recursive, ty)
    }

    /// Whether a value has a float somewhere in it.
    pub(super) fn has_float(&self, ty: &Type) -> bool {
        self.is(&self.floats, ty)
    }

    fn is(&self, set: &[bool], ty: &Type) -> bool {
        let index = self.types.get(ty.name.text.as_str());
        index
            .and_then(|index| set.get(*index))
            .is_some_and(|is| *is)
    }
}

/// Types by their number, each with those that it leads to.
type Edges = Vec<Vec<usize>>;

/// The types that some lead to, with those themselves.
fn from(edges: &Edges, start: impl Iterator<Item = usize>) -> Vec<bool> {
    let mut seen = vec![false; edges.len()];
    let mut next: Vec<_> = start.collect();
    while let Some(ty) = next.pop() {
        if let Some(seen) = seen.get_mut(ty).filter(|seen| !**seen) {
            *seen = true;
            next.extend(edges.get(ty).into_iter().flatten());
        }
    }
    seen
}

fn leads_to_itself(edges: &Edges, ty: usize) -> bool {
    let next = edges.get(ty).into_iter().flatten().copied();
    from(edges, next).get(ty).is_some_and(|is| *is)
}

fn reverse(edges: &Edges) -> Edges {
    let mut reverse = vec![Vec::new(); edges.len()];
    for (from, to) in (0..).zip(edges) {
        for to in to {
            if let Some(edges) = reverse.get_mut(*to) {
                edges.push(from);
            }
        }
    }
    reverse
}

fn is_float(member: &Member) -> bool {
    member.ty.name.text == "number"
}

/// The members of all kinds that a type has, its bases' among them.
fn parts<'a>(schema: &'a Schema, ty: &'a Type) -> Vec<&'a Member> {
    let members = schema.members_of(ty).into_iter().map(|(_, member)| member);
    members.chain(ty.branches()).collect()
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
