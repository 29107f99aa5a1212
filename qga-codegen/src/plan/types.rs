//! Types, with what they consist of.

use super::fields::Direction;
use super::planner::Planner;
use super::taken_names::TakenNames;
use super::{Branch, TypeKind, TypePlan, UnionPlan, Variant};
use crate::config::{Entries, PartEntry};
use crate::schema::{EnumValue, Kind, Member, Type};

impl<'a> Planner<'a> {
    /// The type, if it is in this module.
    pub(super) fn ty(&mut self, ty: &'a Type, module: &str) -> Option<TypePlan> {
        let wire = ty.name.text.as_str();
        let path = self
            .types
            .get(wire)
            .filter(|path| path.module == module)?
            .clone();
        let entry = self.config.data.types.get(wire)?;
        let since = self.since(&entry.since);
        let about = format!("Since {since}{}.", self.on(ty.condition.as_ref()));
        Some(TypePlan {
            name: path.name,
            doc: format!("{}\n\n{about}", entry.doc),
            kind: self.kind(ty, &entry.members, module),
            input: self.graph.is_input(ty),
            eq: !self.graph.has_float(ty),
        })
    }

    fn kind(&mut self, ty: &'a Type, entries: &Entries<PartEntry>, module: &str) -> TypeKind {
        match &ty.kind {
            Kind::Struct { .. } => {
                TypeKind::Struct(self.fields(&self.member_parts(ty), module, Direction::Both))
            }
            Kind::Enum { values, .. } => TypeKind::Enum(self.values(ty, values, entries)),
            Kind::Alternate { branches } => {
                TypeKind::Alternate(self.branches(branches, entries, module))
            }
            Kind::Union {
                discriminator,
                branches,
                ..
            } => TypeKind::Union(UnionPlan {
                discriminator: discriminator.text.clone(),
                fields: self.base_fields(ty, discriminator, module),
                branches: self.branches(branches, entries, module),
            }),
        }
    }

    fn values(
        &mut self,
        ty: &Type,
        values: &[EnumValue],
        entries: &Entries<PartEntry>,
    ) -> Vec<Variant> {
        let mut taken = TakenNames::variants();
        let mut variants = Vec::new();
        for value in values {
            if let Some(part) = entries.get(value.name.text.as_str()) {
                let doc = self.part_doc(part, value.condition.as_ref(), ty.condition.as_ref());
                variants.push(Variant {
                    wire: value.name.text.clone(),
                    name: taken.variant(part, &value.name),
                    doc,
                });
            }
        }
        self.problems.append(&mut taken.problems);
        variants
    }

    fn branches(
        &mut self,
        branches: &[Member],
        entries: &Entries<PartEntry>,
        module: &str,
    ) -> Vec<Branch> {
        let mut taken = TakenNames::variants();
        let mut planned = Vec::new();
        for branch in branches {
            if let Some(part) = entries.get(branch.name.text.as_str()) {
                planned.push(Branch {
                    wire: branch.name.text.clone(),
                    name: taken.variant(part, &branch.name),
                    doc: self.part_doc(part, branch.condition.as_ref(), None),
                    ty: self.type_ref(&branch.ty, module),
                });
            }
        }
        self.problems.append(&mut taken.problems);
        planned
    }
}
