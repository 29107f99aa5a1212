//! A struct with its fields, as commands, structs and unions are written.

use super::code::Code;
use super::debug;
use super::imports::Imports;
use crate::plan::{Field, TypePlan};

/// The derives that a type with these fields has in any case, and more.
pub(super) fn derive(ty: &TypePlan, fields: &[Field], more: &str, code: &mut Code) {
    let debug = debug::derived(fields);
    let eq = if ty.eq { "Eq, " } else { "" };
    code.add(&format!("#[derive(Clone, {debug}PartialEq, {eq}{more})]"));
}

/// How what depends on a kind is read: by way of all members, so that a kind that is not known is kept.
pub(super) const FROM_MEMBERS: &str = "try_from = \"RawObject\"";

/// A struct that serde reads and writes. The members of the field `flat` stand among the others in JSON.
pub(super) fn serde_struct(
    name: &str,
    fields: &[Field],
    flat: Option<&str>,
    code: &mut Code,
    imports: &mut Imports,
) {
    imports.add("serde::Deserialize");
    imports.add("serde::Serialize");
    let kebab = fields
        .iter()
        .any(|field| is_kebab(field) && field.name != field.wire);
    let rename = kebab.then_some("rename_all = \"kebab-case\"");
    let from = flat.map(|_| FROM_MEMBERS);
    let parts = rename.into_iter().chain(from).map(str::to_owned);
    code.attribute("serde", &parts.collect::<Vec<_>>());
    write(name, fields, code, imports, |field| {
        ("serde", serde_attribute(field, flat, kebab))
    });
}

/// A struct; `attribute` says whose attribute a field has, and the parts of it.
pub(super) fn write(
    name: &str,
    fields: &[Field],
    code: &mut Code,
    imports: &mut Imports,
    attribute: impl Fn(&Field) -> (&'static str, Vec<String>),
) {
    code.add("#[non_exhaustive]");
    code.add(&format!("pub struct {name} {{"));
    for field in fields {
        code.doc(&field.doc);
        let (of, parts) = attribute(field);
        code.attribute(of, &parts);
        imports.add_type(&field.ty);
        let ty = &field.ty.text;
        code.add(&if field.optional {
            format!("pub {}: Option<{ty}>,", field.name)
        } else {
            format!("pub {}: {ty},", field.name)
        });
    }
    code.add("}");
    debug::write(name, fields, code, imports);
}

/// Whether the name on the wire has `-` for each `_`, and is the same otherwise.
pub(super) fn is_kebab(field: &Field) -> bool {
    field.name.replace('_', "-") == field.wire
}

fn serde_attribute(field: &Field, flat: Option<&str>, kebab: bool) -> Vec<String> {
    if flat == Some(&field.name) {
        return vec!["flatten".to_owned()];
    }
    let implied = if kebab {
        is_kebab(field)
    } else {
        field.name == field.wire
    };
    let mut parts = Vec::new();
    if !implied {
        parts.push(format!("rename = {:?}", field.wire));
    }
    if field.optional {
        parts.push("skip_serializing_if = \"Option::is_none\"".to_owned());
    }
    parts
}
