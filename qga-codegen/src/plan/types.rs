//! Types, with what they consist of.

use super::build::Build;
use super::unique::Unique;
use super::{Kind, Type, Union, Variant};
use crate::config::{Entries, Part};
use crate::schema::{self, EnumValue, Member};

impl<'a> Build<'a> {
    pub(super) fn ty(&mut self, ty: &'a schema::Type, module: &str) -> Option<Type> {
        let wire = ty.name.text.as_str();
        let home = self
            .types
            .get(wire)
            .filter(|home| home.module == module)?
            .clone();
        let entry = self.config.data.types.get(wire)?;
        let since = self.since(&entry.since);
        let about = format!("Since {since}{}.", self.on(ty.condition.as_ref()));
        Some(Type {
            name: home.name,
            doc: format!("{}\n\n{about}", entry.doc),
            kind: self.kind(ty, &entry.members, module),
            input: self.reach.is_input(ty),
            eq: !self.reach.has_float(ty),
        })
    }

    fn kind(&mut self, ty: &'a schema::Type, entries: &Entries<Part>, module: &str) -> Kind {
        match &ty.kind {
            schema::Kind::Struct { .. } => {
                Kind::Struct(self.fields(&self.member_parts(ty), module, false))
            }
            schema::Kind::Enum { values, .. } => Kind::Enum(self.values(ty, values, entries)),
            schema::Kind::Alternate { branches } => {
                Kind::Alternate(self.branches(branches, entries, module))
            }
            schema::Kind::Union {
                discriminator,
                branches,
                ..
            } => Kind::Union(Union {
                discriminator: discriminator.text.clone(),
                fields: self.base_fields(ty, discriminator, module),
                branches: self.branches(branches, entries, module),
            }),
        }
    }

    fn values(
        &mut self,
        ty: &schema::Type,
        values: &[EnumValue],
        entries: &Entries<Part>,
    ) -> Vec<Variant> {
        let mut unique = Unique::variants();
        let mut variants = Vec::new();
        for value in values {
            if let Some(part) = entries.get(value.name.text.as_str()) {
                let doc = self.part_doc(part, value.condition.as_ref(), ty.condition.as_ref());
                variants.push(Variant {
                    wire: value.name.text.clone(),
                    name: unique.variant(part, &value.name),
                    doc,
                    ty: None,
                });
            }
        }
        self.problems.append(&mut unique.problems);
        variants
    }

    fn branches(
        &mut self,
        branches: &[Member],
        entries: &Entries<Part>,
        module: &str,
    ) -> Vec<Variant> {
        let mut unique = Unique::variants();
        let mut variants = Vec::new();
        for branch in branches {
            if let Some(part) = entries.get(branch.name.text.as_str()) {
                variants.push(Variant {
                    wire: branch.name.text.clone(),
                    name: unique.variant(part, &branch.name),
                    doc: self.part_doc(part, branch.condition.as_ref(), None),
                    ty: Some(self.type_ref(&branch.ty, module)),
                });
            }
        }
        self.problems.append(&mut unique.problems);
        variants
    }
}
