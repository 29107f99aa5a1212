//! Fields: their names, types and documentation.

use super::planner::Planner;
use super::taken_names::TakenNames;
use super::type_refs::{as_mentioned, named_in_config};
use super::{Field, Parameter, Redacted, RustType, version};
use crate::config::PartEntry;
use crate::problem::Name;
use crate::schema::{Member, Type};

/// Which way values go.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    /// To the agent only: these are a command's arguments.
    Sent,
    /// Either way: this is a type.
    Both,
}

impl<'a> Planner<'a> {
    pub(super) fn fields(
        &mut self,
        parts: &[(&'a Member, &'a PartEntry)],
        module: &str,
        direction: Direction,
    ) -> Vec<Field> {
        let sent = direction == Direction::Sent;
        let mut taken = TakenNames::fields();
        let mut fields = Vec::new();
        for (member, part) in parts {
            let name = taken.field(part, &member.name);
            fields.push(Field {
                wire: member.name.text.clone(),
                name,
                doc: self.part_doc(part, member.condition.as_ref(), None),
                ty: self.field_type(member, part, module, direction),
                optional: member.optional || (!sent && self.is_new(part)),
                base64: sent && part.base64 && !part.secret,
                redacted: redacted(member, part),
            });
        }
        self.problems.append(&mut taken.problems);
        fields
    }

    /// The fields of a union beside its branch.
    pub(super) fn base_fields(
        &mut self,
        ty: &'a Type,
        discriminator: &Name,
        module: &str,
    ) -> Vec<Field> {
        let mut parts = self.member_parts(ty);
        parts.retain(|(member, _)| member.name.text != discriminator.text);
        let fields = self.fields(&parts, module, Direction::Both);
        for (field, (member, _)) in fields.iter().zip(&parts) {
            if field.name == "kind" {
                let message = "in Rust, `kind` is the name of the field with the branch";
                self.problems.push(member.name.problem(message));
            }
        }
        fields
    }

    fn field_type(
        &mut self,
        member: &'a Member,
        part: &PartEntry,
        module: &str,
        direction: Direction,
    ) -> RustType {
        if part.base64 && (member.ty.list || member.ty.name.text != "str") {
            let message = format!("`{}` is no `str`, so it is no `base64`", member.name);
            self.problems.push(member.name.problem(message));
        }
        let paths = &self.config.data.paths;
        let special = if part.secret {
            Some(("secret", paths.secret.as_ref()))
        } else if part.base64 && direction == Direction::Both {
            Some(("base64", paths.bytes.as_ref()))
        } else {
            None
        };
        match special {
            Some((_, Some(path))) => {
                as_mentioned(RustType::path(path, Parameter::Into), &member.ty)
            }
            Some((what, None)) => {
                let message = format!("`{what}` needs a type, which `paths` does not name");
                self.problems.push(member.name.problem(message));
                self.type_ref(&member.ty, module)
            }
            None if part.base64 => RustType {
                text: "Vec<u8>".to_owned(),
                imports: Vec::new(),
                parameter: Parameter::Into,
            },
            None => match &part.ty {
                Some(path) => named_in_config(path, &member.ty),
                None => self.member_type(member, module),
            },
        }
    }

    /// Whether agents that must be understood lack this.
    fn is_new(&self, part: &PartEntry) -> bool {
        let oldest = self.config.data.schema.oldest.as_ref();
        let oldest = oldest.and_then(|oldest| version::parse(oldest.get_ref()));
        let since = part.since.as_deref().and_then(version::parse);
        oldest
            .zip(since)
            .is_some_and(|(oldest, since)| since > oldest)
    }
}

/// Contents and secrets are hidden, and what the data file says.
fn redacted(member: &Member, part: &PartEntry) -> Option<Redacted> {
    let is_text = part.ty.is_none() && member.ty.name.text == "str";
    match part {
        PartEntry { secret: true, .. } => Some(Redacted::Value),
        PartEntry { base64: true, .. } => Some(Redacted::Bytes),
        PartEntry { hidden: true, .. } if member.ty.list => Some(Redacted::Items),
        PartEntry { hidden: true, .. } if is_text => Some(Redacted::Bytes),
        PartEntry { hidden: true, .. } => Some(Redacted::Value),
        _ => None,
    }
}
