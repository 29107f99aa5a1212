//! How a struct is made: `new` with what is required, and a method for each thing that is not.

use super::code::Code;
use crate::plan::{Field, Parameter};

/// Writes the methods; `what` is what documentation calls a value.
pub(super) fn write(name: &str, fields: &[Field], what: &str, code: &mut Code) {
    let (optional, required): (Vec<_>, Vec<_>) = fields.iter().partition(|field| field.optional);
    code.blank();
    code.add(&format!("impl {name} {{"));
    code.doc(&match (required.is_empty(), optional.is_empty()) {
        (true, _) => format!("{what} without options."),
        (_, true) => format!("{what} with all that it has."),
        (_, false) => format!("{what} with what it needs, and no options."),
    });
    code.add("#[must_use]");
    let parameters = required.iter().map(|field| parameter(field));
    let parameters: Vec<_> = parameters.collect();
    let value = if required.is_empty() {
        default(&optional).to_owned()
    } else {
        literal(fields)
    };
    let parameters = parameters.join(", ");
    code.add(&format!("pub fn new({parameters}) -> Self {{ {value} }}"));
    for field in optional {
        setter(field, code);
    }
    code.add("}");
}

fn default(optional: &[&Field]) -> &'static str {
    // A method for a field of this name would be called in place of the trait's.
    if optional.iter().any(|field| field.name == "default") {
        "<Self as Default>::default()"
    } else {
        "Self::default()"
    }
}

fn literal(fields: &[Field]) -> String {
    let fields = fields.iter().map(|field| {
        let name = &field.name;
        match argument(field) {
            _ if field.optional => format!("{name}: None"),
            same if same == *name => same,
            other => format!("{name}: {other}"),
        }
    });
    format!("Self {{ {} }}", fields.collect::<Vec<_>>().join(", "))
}

fn setter(field: &Field, code: &mut Code) {
    code.blank();
    code.doc(&field.doc);
    let (name, parameter, value) = (&field.name, parameter(field), argument(field));
    code.add(&format!(
        "#[must_use]
        pub fn {name}(mut self, {parameter}) -> Self {{
            self.{name} = Some({value});
            self
        }}"
    ));
}

/// What a caller hands over for a field.
fn parameter(field: &Field) -> String {
    let (name, ty) = (&field.name, &field.ty.text);
    match field.ty.parameter {
        Parameter::Strings => format!("{name}: impl IntoIterator<Item = impl Into<String>>"),
        Parameter::Into => format!("{name}: impl Into<{ty}>"),
        Parameter::Exact => format!("{name}: {ty}"),
    }
}

/// The field's value from what a caller handed over.
fn argument(field: &Field) -> String {
    let name = &field.name;
    match field.ty.parameter {
        Parameter::Strings => format!("{name}.into_iter().map(Into::into).collect()"),
        Parameter::Into => format!("{name}.into()"),
        Parameter::Exact => name.clone(),
    }
}
