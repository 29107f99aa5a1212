//! `Debug` of what must not be shown whole.

use super::code::Code;
use super::imports::Imports;
use crate::plan::{Field, Redacted};

/// The derive of `Debug` for a type with these fields, unless it is written out.
pub(super) fn derived(fields: &[Field]) -> &'static str {
    if fields.iter().any(|field| field.redacted.is_some()) {
        ""
    } else {
        "Debug, "
    }
}

/// Writes `Debug` where it is not derived.
pub(super) fn write(name: &str, fields: &[Field], code: &mut Code, imports: &mut Imports) {
    if !derived(fields).is_empty() {
        return;
    }
    imports.add("std::fmt");
    imports.add("qga_core::Hidden");
    let calls = fields
        .iter()
        .map(|field| format!(".field({:?}, &{})", field.name, shown(field)));
    let calls: String = calls.collect();
    code.add(&format!(
        "
impl fmt::Debug for {name} {{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {{
        f.debug_struct({name:?}){calls}.finish()
    }}
}}"
    ));
}

/// What is shown of a field.
fn shown(field: &Field) -> String {
    let name = &field.name;
    let (how, as_slice) = match field.redacted {
        None => return format!("self.{name}"),
        Some(Redacted::Value) => return "Hidden::VALUE".to_owned(),
        Some(Redacted::Bytes) => ("Hidden::bytes", "as_ref"),
        Some(Redacted::Items) => ("Hidden::items", "as_deref"),
    };
    if field.optional {
        format!("self.{name}.{as_slice}().map({how})")
    } else {
        format!("{how}(&self.{name})")
    }
}
