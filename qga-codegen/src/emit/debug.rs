//! `Debug` of what must not be shown whole.

use super::imports::Imports;
use super::layout::Code;
use crate::plan::{Field, Hide};

/// The derive of `Debug` for a type with these fields, unless it is written out.
pub(super) fn derived(fields: &[Field]) -> &'static str {
    if fields.iter().any(|field| field.hidden.is_some()) {
        ""
    } else {
        "Debug, "
    }
}

/// Writes `Debug` where it is not derived; `more` is a field that is shown too.
pub(super) fn write(
    name: &str,
    fields: &[Field],
    more: Option<&str>,
    code: &mut Code,
    imports: &mut Imports,
) {
    if !derived(fields).is_empty() {
        return;
    }
    imports.add("std::fmt");
    imports.add("qga_core::Hidden");
    code.blank();
    code.open(&format!("impl fmt::Debug for {name} {{"));
    code.open("fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {");
    let shown = fields
        .iter()
        .map(|field| (field.name.as_str(), value(field)));
    let more = more.map(|name| (name, chain(name, &[])));
    let calls: Vec<_> = shown.chain(more).collect();
    code.debug_struct(name, &calls);
    code.close("}");
    code.close("}");
}

/// What is shown of a field, as a chain of calls.
fn value(field: &Field) -> Vec<String> {
    let (how, as_slice) = match field.hidden {
        None => return chain(&field.name, &[]),
        Some(Hide::Value) => return vec!["Hidden::VALUE".to_owned()],
        Some(Hide::Bytes) => ("Hidden::bytes", ".as_ref()"),
        Some(Hide::Items) => ("Hidden::items", ".as_deref()"),
    };
    if field.optional {
        chain(&field.name, &[as_slice, &format!(".map({how})")])
    } else {
        vec![format!("{how}(&self.{})", field.name)]
    }
}

fn chain(name: &str, calls: &[&str]) -> Vec<String> {
    let field = format!(".{name}");
    let calls = calls.iter().map(|call| (*call).to_owned());
    ["self".to_owned(), field]
        .into_iter()
        .chain(calls)
        .collect()
}
