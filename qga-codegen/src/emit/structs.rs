//! Structs, and how they are made.

use super::imports::Imports;
use super::layout::Code;
use crate::plan::{Field, Shape, Type};

/// A list's parameter is named in full up to this length, so that what is done with it fits.
const LONG_NAME: usize = 20;

pub(super) fn write(ty: &Type, fields: &[Field], code: &mut Code, imports: &mut Imports) {
    imports.add("serde::Deserialize");
    imports.add("serde::Serialize");
    code.blank();
    code.doc(&ty.doc);
    let more = if fields.iter().all(|field| field.optional) {
        "Default, Serialize, Deserialize"
    } else {
        "Serialize, Deserialize"
    };
    derive(ty, more, code);
    write_body(&ty.name, fields, None, code, imports);
    if ty.input {
        constructor(&ty.name, fields, "A value", code);
    }
}

/// The derives that a type has in any case, and more.
pub(super) fn derive(ty: &Type, more: &str, code: &mut Code) {
    let eq = if ty.eq { "Eq, " } else { "" };
    code.line(&format!("#[derive(Clone, Debug, PartialEq, {eq}{more})]"));
}

/// The struct itself; `flat` is a field whose members stand among the others in JSON.
pub(super) fn write_body(
    name: &str,
    fields: &[Field],
    flat: Option<&str>,
    code: &mut Code,
    imports: &mut Imports,
) {
    let kebab = fields
        .iter()
        .any(|field| is_kebab(field) && field.name != field.wire);
    if kebab {
        code.line("#[serde(rename_all = \"kebab-case\")]");
    }
    code.line("#[non_exhaustive]");
    code.open(&format!("pub struct {name} {{"));
    for field in fields {
        code.doc(&field.doc);
        let parts = attributes(field, kebab);
        if !parts.is_empty() {
            code.attribute("serde", &parts);
        }
        declaration(field, code, imports);
    }
    if let Some(flat) = flat {
        code.doc("What depends on the kind.");
        code.line("#[serde(flatten)]");
        code.line(&format!("pub kind: {flat},"));
    }
    code.close("}");
}

fn is_kebab(field: &Field) -> bool {
    field.name.replace('_', "-") == field.wire
}

fn attributes(field: &Field, kebab: bool) -> Vec<String> {
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

pub(super) fn declaration(field: &Field, code: &mut Code, imports: &mut Imports) {
    imports.add_type(&field.ty);
    let ty = &field.ty.text;
    if field.optional {
        code.line(&format!("pub {}: Option<{ty}>,", field.name));
    } else {
        code.line(&format!("pub {}: {ty},", field.name));
    }
}

/// `new` with what is required, and a method for each thing that is not.
pub(super) fn constructor(name: &str, fields: &[Field], what: &str, code: &mut Code) {
    let (optional, required): (Vec<_>, Vec<_>) = fields.iter().partition(|field| field.optional);
    code.blank();
    code.open(&format!("impl {name} {{"));
    code.doc(&match (required.is_empty(), optional.is_empty()) {
        (true, _) => format!("{what} without options."),
        (_, true) => format!("{what} with all that it has."),
        (_, false) => format!("{what} with what it needs, and no options."),
    });
    code.line("#[must_use]");
    let parameters: Vec<_> = required
        .iter()
        .map(|field| format!("{}: {}", field.name, parameter(field, &field.name)))
        .collect();
    let defaults = required.is_empty();
    code.function("pub fn new", &parameters, " -> Self");
    if defaults {
        // A method for a field of this name would be called in place of the trait's.
        let hidden = optional.iter().any(|field| field.name == "default");
        code.line(if hidden {
            "<Self as Default>::default()"
        } else {
            "Self::default()"
        });
    } else {
        let values: Vec<_> = fields.iter().map(initial).collect();
        code.literal("Self", &values);
    }
    code.close("}");
    for field in optional {
        setter(field, code);
    }
    code.close("}");
}

fn initial(field: &Field) -> String {
    let name = &field.name;
    if field.optional {
        return format!("{name}: None");
    }
    match value(field, name) {
        same if same == *name => same,
        other => format!("{name}: {other}"),
    }
}

fn setter(field: &Field, code: &mut Code) {
    let name = &field.name;
    code.blank();
    code.doc(&field.doc);
    code.line("#[must_use]");
    let parameters = [
        "mut self".to_owned(),
        format!("{name}: {}", parameter(field, name)),
    ];
    code.function(&format!("pub fn {name}"), &parameters, " -> Self");
    code.line(&format!("self.{name} = Some({});", value(field, name)));
    code.line("self");
    code.close("}");
}

/// The type that a caller hands over.
fn parameter(field: &Field, name: &str) -> String {
    match field.ty.shape {
        Shape::Texts if name.len() <= LONG_NAME => {
            "impl IntoIterator<Item = impl Into<String>>".to_owned()
        }
        Shape::Into => format!("impl Into<{}>", field.ty.text),
        Shape::Plain | Shape::Texts => field.ty.text.clone(),
    }
}

/// The field's value from what a caller handed over.
fn value(field: &Field, name: &str) -> String {
    match field.ty.shape {
        Shape::Texts if name.len() <= LONG_NAME => {
            format!("{name}.into_iter().map(Into::into).collect()")
        }
        Shape::Into => format!("{name}.into()"),
        Shape::Plain | Shape::Texts => name.to_owned(),
    }
}
