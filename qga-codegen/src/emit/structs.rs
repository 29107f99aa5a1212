//! Structs, and how they are made.

use super::debug;
use super::imports::Imports;
use super::layout::{Code, WIDTH};
use super::unions::FROM_MEMBERS;
use crate::plan::{Field, Shape, Type};

/// A list's parameter is named in full up to this length, so that what is done with it fits.
const LONG_NAME: usize = 20;
/// What a list of strings is handed over as.
const TEXTS: &str = "impl IntoIterator<Item = impl Into<String>>";

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
    derive(ty, fields, more, code);
    write_body(&ty.name, fields, None, code, imports);
    if ty.input {
        constructor(&ty.name, fields, "A value", code);
    }
}

/// The derives that a type with these fields has in any case, and more.
pub(super) fn derive(ty: &Type, fields: &[Field], more: &str, code: &mut Code) {
    let debug = debug::derived(fields);
    let eq = if ty.eq { "Eq, " } else { "" };
    code.line(&format!("#[derive(Clone, {debug}PartialEq, {eq}{more})]"));
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
    let rename = kebab.then_some("rename_all = \"kebab-case\"");
    let from = flat.map(|_| FROM_MEMBERS);
    let parts: Vec<_> = rename.into_iter().chain(from).map(str::to_owned).collect();
    if !parts.is_empty() {
        code.attribute("serde", &parts);
    }
    code.line("#[non_exhaustive]");
    if fields.is_empty() && flat.is_none() {
        code.line(&format!("pub struct {name} {{}}"));
        return;
    }
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
    let kind = flat.map(|_| "kind");
    debug::write(name, fields, kind, code, imports);
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
    let ty = if field.optional {
        format!("Option<{ty}>,")
    } else {
        format!("{ty},")
    };
    code.split(&format!("pub {}", field.name), ":", &ty);
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
        .map(|field| format!("{}: {}", field.name, parameter(field)))
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
    match value(field) {
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
        format!("{name}: {}", parameter(field)),
    ];
    code.function(&format!("pub fn {name}"), &parameters, " -> Self");
    let value = format!("Some({});", value(field));
    code.split(&format!("self.{name}"), " =", &value);
    code.line("self");
    code.close("}");
}

/// The type that a caller hands over.
fn parameter(field: &Field) -> String {
    match shape(field) {
        Shape::Texts => TEXTS.to_owned(),
        Shape::Into => format!("impl Into<{}>", field.ty.text),
        Shape::Plain => field.ty.text.clone(),
    }
}

/// The field's value from what a caller handed over.
fn value(field: &Field) -> String {
    let name = &field.name;
    match shape(field) {
        Shape::Texts => format!("{name}.into_iter().map(Into::into).collect()"),
        Shape::Into => format!("{name}.into()"),
        Shape::Plain => name.clone(),
    }
}

/// How a caller hands over a value: as it is where anything else does not fit on a line.
fn shape(field: &Field) -> Shape {
    let name = field.name.len();
    // Indented twice, with a colon and a comma.
    let width = 8 + name + ": impl Into<>,".len() + field.ty.text.len();
    match field.ty.shape {
        Shape::Texts if name > LONG_NAME => Shape::Plain,
        Shape::Into if width > WIDTH => Shape::Plain,
        shape => shape,
    }
}
