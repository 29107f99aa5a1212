//! Unions and alternates.

use std::collections::HashMap;

use super::Check;
use crate::problem::Name;
use crate::schema::{Base, Kind, Member, Type, builtin};

impl<'a> Check<'a> {
    pub(super) fn union(
        &mut self,
        ty: &'a Type,
        base: &'a Base,
        discriminator: &'a Name,
        branches: &'a [Member],
    ) {
        if let Base::Named(name) = base
            && !self.base(ty, name)
        {
            return;
        }
        let members = self.schema.members_of(ty);
        if branches.is_empty() {
            self.report(&ty.name, format!("`{}` has no branch", ty.name));
        }
        self.members(&members);
        self.unique(branches.iter().map(|branch| &branch.name), "branch");
        let values = self.discriminator(discriminator, &members);
        for branch in branches {
            let name = &branch.name;
            if values
                .as_ref()
                .is_some_and(|values| !values.contains(&name.text.as_str()))
            {
                self.report(name, format!("`{discriminator}` has no value `{name}`"));
            }
            self.branch(branch, &members);
        }
    }

    /// The values of the member that decides.
    fn discriminator(
        &mut self,
        name: &Name,
        members: &[(&'a Type, &'a Member)],
    ) -> Option<Vec<&'a str>> {
        let member = members
            .iter()
            .find(|(_, member)| member.name.text == name.text);
        let Some((_, member)) = member else {
            self.report(name, format!("the base has no member `{name}`"));
            return None;
        };
        let ty = self.types.get(member.ty.name.text.as_str())?;
        match &ty.kind {
            Kind::Enum { values, .. } if !member.optional && !member.ty.list => Some(
                values
                    .iter()
                    .map(|value| value.name.text.as_str())
                    .collect(),
            ),
            _ => {
                self.report(
                    name,
                    format!("`{name}` is no required enum, so it cannot decide"),
                );
                None
            }
        }
    }

    fn branch(&mut self, branch: &'a Member, base: &[(&'a Type, &'a Member)]) {
        let name = &branch.ty.name;
        let Some(ty) = self.types.get(name.text.as_str()).copied() else {
            if builtin(&name.text).is_some() {
                self.report(
                    name,
                    format!("`{name}` is no struct, so it cannot be a branch"),
                );
            }
            return;
        };
        let is_struct = matches!(ty.kind, Kind::Struct { .. });
        if !is_struct || branch.ty.list || branch.optional {
            self.report(
                name,
                format!("`{name}` is no struct, so it cannot be a branch"),
            );
            return;
        }
        for (_, member) in self.schema.members_of(ty) {
            if base
                .iter()
                .any(|(_, other)| other.name.text == member.name.text)
            {
                let clash = &member.name;
                self.report(
                    name,
                    format!("`{name}` has the member `{clash}`, as the base has"),
                );
            }
        }
    }

    pub(super) fn alternate(&mut self, ty: &'a Type, branches: &'a [Member]) {
        if branches.is_empty() {
            self.report(&ty.name, format!("`{}` has no branch", ty.name));
        }
        self.unique(branches.iter().map(|branch| &branch.name), "branch");
        let mut seen = HashMap::new();
        for branch in branches {
            let Some(json) = self.json_type(branch) else {
                continue;
            };
            if json == "any" || json == "alternate" {
                let name = &branch.ty.name;
                self.report(name, format!("`{name}` cannot be a branch of an alternate"));
            } else if let Some(other) = seen.insert(json, &branch.name) {
                let name = &branch.name;
                let message =
                    format!("JSON does not tell `{name}` from `{other}`: both are {json}s");
                self.report(name, message);
            }
        }
    }

    fn json_type(&self, branch: &Member) -> Option<&'static str> {
        if branch.ty.list {
            return Some("array");
        }
        let name = branch.ty.name.text.as_str();
        builtin(name).or_else(|| {
            Some(match self.types.get(name)?.kind {
                Kind::Enum { .. } => "string",
                Kind::Struct { .. } | Kind::Union { .. } => "object",
                Kind::Alternate { .. } => "alternate",
            })
        })
    }
}
