//! Whether a schema makes sense.

mod members;
mod names;
mod variants;

use std::collections::HashMap;

use super::model::{Data, Feature, Kind, Member, Schema, Type, TypeRef, builtin};
use crate::problem::{Name, Problem};

/// All that is wrong with a schema.
pub(super) fn problems(schema: &Schema) -> Vec<Problem> {
    let mut check = Check {
        types: schema
            .types
            .iter()
            .map(|ty| (ty.name.text.as_str(), ty))
            .collect(),
        schema,
        problems: Vec::new(),
    };
    check.names();
    for ty in &schema.types {
        check.ty(ty);
    }
    for command in &schema.commands {
        check.features(&command.features);
        check.data(&command.data, command.boxed);
        if let Some(returns) = &command.returns {
            check.type_ref(returns);
        }
    }
    for event in &schema.events {
        check.features(&event.features);
        check.data(&event.data, event.boxed);
    }
    check.problems
}

struct Check<'a> {
    schema: &'a Schema,
    types: HashMap<&'a str, &'a Type>,
    problems: Vec<Problem>,
}

impl<'a> Check<'a> {
    fn report(&mut self, name: &Name, message: impl Into<String>) {
        self.problems.push(name.problem(message));
    }

    fn ty(&mut self, ty: &'a Type) {
        self.features(&ty.features);
        match &ty.kind {
            Kind::Enum { values, .. } => {
                self.unique(values.iter().map(|value| &value.name), "value");
                for value in values {
                    self.features(&value.features);
                }
            }
            Kind::Struct { base, .. } => {
                if base.as_ref().is_none_or(|base| self.base(ty, base)) {
                    self.members(&self.schema.members_of(ty));
                }
            }
            Kind::Union {
                base,
                discriminator,
                branches,
            } => self.union(ty, base, discriminator, branches),
            Kind::Alternate { branches } => self.alternate(ty, branches),
        }
        for member in ty.own_members().iter().chain(ty.branches()) {
            self.member(member);
        }
    }

    fn member(&mut self, member: &Member) {
        self.type_ref(&member.ty);
        self.features(&member.features);
    }

    fn data(&mut self, data: &'a Data, boxed: bool) {
        match data {
            Data::None => {}
            Data::Inline(members) => {
                self.unique(members.iter().map(|member| &member.name), "argument");
                for member in members {
                    self.member_name(&member.name);
                    self.member(member);
                }
            }
            Data::Named(name) => match self.types.get(name.text.as_str()).map(|ty| &ty.kind) {
                Some(Kind::Struct { .. }) => {}
                Some(Kind::Union { .. }) if boxed => {}
                Some(Kind::Union { .. }) => {
                    self.report(
                        name,
                        format!("`{name}` is a union, which only `boxed` data may be"),
                    );
                }
                Some(_) => self.report(name, format!("`{name}` is no struct")),
                None => self.undefined(name),
            },
        }
    }

    fn type_ref(&mut self, ty: &TypeRef) {
        if builtin(&ty.name.text).is_none() && !self.types.contains_key(ty.name.text.as_str()) {
            self.undefined(&ty.name);
        }
    }

    fn undefined(&mut self, name: &Name) {
        self.report(name, format!("there is no type `{name}`"));
    }

    fn features(&mut self, features: &[Feature]) {
        self.unique(features.iter().map(|feature| &feature.name), "feature");
    }
}
