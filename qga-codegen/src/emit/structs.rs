//! Structs.

use super::code::Code;
use super::imports::Imports;
use super::{constructor, fields};
use crate::plan::{Field, TypePlan};

pub(super) fn write(ty: &TypePlan, members: &[Field], code: &mut Code, imports: &mut Imports) {
    code.blank();
    code.doc(&ty.doc);
    let derives = if members.iter().all(|member| member.optional) {
        "Default, Serialize, Deserialize"
    } else {
        "Serialize, Deserialize"
    };
    fields::derive(ty, members, derives, code);
    fields::serde_struct(&ty.name, members, None, code, imports);
    if ty.input {
        constructor::write(&ty.name, members, "A value", code);
    }
}
