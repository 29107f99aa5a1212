//! Fields: their names, types and documentation.

use super::build::Build;
use super::entries::version;
use super::unique::Unique;
use super::{Field, Hide, RustType, Shape};
use crate::config::Part;
use crate::place::Name;
use crate::schema::{self, Condition, Member, TypeRef};

impl<'a> Build<'a> {
    pub(super) fn fields(
        &mut self,
        parts: &[(&'a Member, &'a Part)],
        module: &str,
        argument: bool,
    ) -> Vec<Field> {
        let mut unique = Unique::fields();
        let mut fields = Vec::new();
        for (member, part) in parts {
            let name = unique.field(part, &member.name);
            fields.push(Field {
                wire: member.name.text.clone(),
                name,
                doc: self.part_doc(part, member.condition.as_ref(), None),
                ty: self.field_type(member, part, module, argument),
                optional: member.optional || (!argument && self.is_new(part)),
                base64: argument && part.base64 && !part.secret,
                hidden: hide(member, part),
            });
        }
        self.problems.append(&mut unique.problems);
        fields
    }

    /// The fields of a union beside its branch.
    pub(super) fn base_fields(
        &mut self,
        ty: &'a schema::Type,
        discriminator: &Name,
        module: &str,
    ) -> Vec<Field> {
        let mut parts = self.member_parts(ty);
        parts.retain(|(member, _)| member.name.text != discriminator.text);
        let fields = self.fields(&parts, module, false);
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
        part: &Part,
        module: &str,
        argument: bool,
    ) -> RustType {
        if part.base64 && (member.ty.list || member.ty.name.text != "str") {
            let message = format!("`{}` is no `str`, so it is no `base64`", member.name);
            self.problems.push(member.name.problem(message));
        }
        let paths = &self.config.data.paths;
        let special = if part.secret {
            Some(("secret", paths.secret.as_ref()))
        } else if part.base64 && !argument {
            Some(("base64", paths.bytes.as_ref()))
        } else {
            None
        };
        match special {
            Some((_, Some(path))) => like(RustType::path(path, Shape::Into), &member.ty),
            Some((what, None)) => {
                let message = format!("`{what}` needs a type, which `paths` does not name");
                self.problems.push(member.name.problem(message));
                self.type_ref(&member.ty, module)
            }
            None if part.base64 => RustType {
                text: "Vec<u8>".to_owned(),
                imports: Vec::new(),
                shape: Shape::Into,
            },
            None => match &part.ty {
                Some(path) => overriding(path, &member.ty),
                None => self.own_type(member, module),
            },
        }
    }

    /// The type that the schema implies.
    fn own_type(&self, member: &'a Member, module: &str) -> RustType {
        let plain = self.type_ref(&member.ty, module);
        match self.schema.type_named(&member.ty.name.text) {
            Some(ty) if !member.ty.list && self.reach.is_recursive(ty) => plain.boxed(),
            _ => plain,
        }
    }

    pub(super) fn type_ref(&self, ty: &TypeRef, module: &str) -> RustType {
        let name = ty.name.text.as_str();
        let plain = RustType::builtin(name).unwrap_or_else(|| match self.types.get(name) {
            Some(home) if home.module == module => RustType::path(&home.name, self.shape(name)),
            Some(home) => {
                let path = format!("super::{}::{}", home.module, home.name);
                RustType::path(&path, self.shape(name))
            }
            None => RustType::path(name, Shape::Plain),
        });
        if ty.list { plain.list() } else { plain }
    }

    /// What an alternate may be, a caller hands over without naming it.
    fn shape(&self, name: &str) -> Shape {
        match self.schema.type_named(name).map(|ty| &ty.kind) {
            Some(schema::Kind::Alternate { .. }) => Shape::Into,
            _ => Shape::Plain,
        }
    }

    /// Whether agents that must be understood lack this.
    fn is_new(&self, part: &Part) -> bool {
        let oldest = self.config.data.schema.oldest.as_ref();
        let oldest = oldest.and_then(|oldest| version(oldest.get_ref()));
        let since = part.since.as_deref().and_then(version);
        oldest
            .zip(since)
            .is_some_and(|(oldest, since)| since > oldest)
    }

    pub(super) fn part_doc(
        &self,
        part: &Part,
        condition: Option<&Condition>,
        around: Option<&Condition>,
    ) -> String {
        let mut doc = part.doc.trim().to_owned();
        if let Some(since) = &part.since {
            let since = self.since(since);
            doc = format!("{doc} Since {since}.");
        }
        if condition.is_some() {
            let there: Vec<_> = self
                .platforms_of(condition)
                .map(|platform| &platform.name)
                .collect();
            let all: Vec<_> = self
                .platforms_of(around)
                .map(|platform| &platform.name)
                .collect();
            if there != all {
                let on = self.on(condition).trim_start_matches(", on ").to_owned();
                doc = format!("{doc} Only on {on}.");
            }
        }
        doc
    }

    /// `QEMU 9.1`.
    pub(super) fn since(&self, version: &str) -> String {
        format!("{} {version}", self.config.data.schema.product)
    }

    /// `, on Linux and Windows`.
    pub(super) fn on(&self, condition: Option<&Condition>) -> String {
        let names: Vec<_> = self
            .platforms_of(condition)
            .map(|platform| platform.name.as_str())
            .collect();
        match names.split_last() {
            None => String::new(),
            Some((only, [])) => format!(", on {only}"),
            Some((last, rest)) => format!(", on {} and {last}", rest.join(", ")),
        }
    }
}

/// Contents and secrets are hidden, and what the data file says.
fn hide(member: &Member, part: &Part) -> Option<Hide> {
    let is_text = part.ty.is_none() && member.ty.name.text == "str";
    match part {
        Part { secret: true, .. } => Some(Hide::Value),
        Part { base64: true, .. } => Some(Hide::Bytes),
        Part { hidden: true, .. } if member.ty.list => Some(Hide::Items),
        Part { hidden: true, .. } if is_text => Some(Hide::Bytes),
        Part { hidden: true, .. } => Some(Hide::Value),
        _ => None,
    }
}

/// `ty`, or a list of it where the schema has a list.
fn like(ty: RustType, mention: &TypeRef) -> RustType {
    if mention.list { ty.list() } else { ty }
}

/// A type that the data file names. Numbers are handed over as they are.
pub(super) fn overriding(path: &str, mention: &TypeRef) -> RustType {
    let is_number = RustType::is_number(path);
    let shape = if is_number { Shape::Plain } else { Shape::Into };
    like(RustType::path(path, shape), mention)
}
