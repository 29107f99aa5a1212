//! Alternates: one of several types, which JSON tells apart.

use super::code::Code;
use super::fields;
use super::imports::Imports;
use crate::plan::{Branch, TypePlan};

pub(super) fn write(ty: &TypePlan, branches: &[Branch], code: &mut Code, imports: &mut Imports) {
    imports.add("serde::Deserialize");
    imports.add("serde::Serialize");
    code.blank();
    code.doc(&ty.doc);
    fields::derive(ty, &[], "Serialize, Deserialize", code);
    let name = &ty.name;
    code.add(&format!(
        "#[serde(untagged)]\n#[non_exhaustive]\npub enum {name} {{"
    ));
    for branch in branches {
        imports.add_type(&branch.ty);
        code.doc(&branch.doc);
        code.add(&format!("{}({}),", branch.name, branch.ty.text));
    }
    code.add("}");
    for branch in branches {
        let (variant, ty) = (&branch.name, &branch.ty.text);
        code.add(&format!(
            "
impl From<{ty}> for {name} {{
    fn from(value: {ty}) -> Self {{
        Self::{variant}(value)
    }}
}}"
        ));
    }
}
