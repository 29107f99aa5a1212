//! Unions, which keep a branch they do not know as it was written.

use super::code::Code;
use super::imports::Imports;
use super::{constructor, fields};
use crate::plan::{Field, Parameter, RustType, TypePlan, UnionPlan};

pub(super) fn write(ty: &TypePlan, union: &UnionPlan, code: &mut Code, imports: &mut Imports) {
    for path in [
        "qga_core::JsonError",
        "qga_core::RawObject",
        "serde::Deserialize",
        "serde::Serialize",
    ] {
        imports.add(path);
    }
    code.blank();
    code.doc(&ty.doc);
    if union.fields.is_empty() {
        return write_enum(ty, &ty.name, union, code, imports);
    }
    let kind = format!("{}Kind", ty.name);
    write_struct(ty, &kind, union, code, imports);
    code.blank();
    code.doc(&format!(
        "What a [`{}`] has depending on its kind.",
        ty.name
    ));
    write_enum(ty, &kind, union, code, imports);
}

/// The struct of a union that has members whatever its kind.
fn write_struct(
    ty: &TypePlan,
    kind: &str,
    union: &UnionPlan,
    code: &mut Code,
    imports: &mut Imports,
) {
    let kind = Field {
        wire: String::new(),
        name: "kind".to_owned(),
        doc: "What depends on the kind.".to_owned(),
        ty: RustType::path(kind, Parameter::Exact),
        optional: false,
        base64: false,
        redacted: None,
    };
    let mut members = union.fields.clone();
    members.push(kind);
    fields::derive(ty, &members, "Serialize, Deserialize", code);
    fields::serde_struct(&ty.name, &members, Some("kind"), code, imports);
    if ty.input {
        constructor::write(&ty.name, &members, "A value", code);
    }
    let take = union.fields.iter().map(|field| {
        let take = if field.optional {
            "take_optional"
        } else {
            "take"
        };
        format!("{}: members.{take}({:?})?, ", field.name, field.wire)
    });
    let take: String = take.collect();
    let value = format!("Ok(Self {{ {take} kind: members.try_into()? }})");
    from_members(&ty.name, "mut members", &value, code);
}

fn write_enum(
    ty: &TypePlan,
    name: &str,
    union: &UnionPlan,
    code: &mut Code,
    imports: &mut Imports,
) {
    let tag = &union.discriminator;
    fields::derive(ty, &[], "Serialize, Deserialize", code);
    code.attribute(
        "serde",
        &[format!("tag = {tag:?}"), fields::FROM_MEMBERS.to_owned()],
    );
    code.add(&format!("#[non_exhaustive]\npub enum {name} {{"));
    for branch in &union.branches {
        code.doc(&branch.doc);
        code.attribute("serde", &[format!("rename = {:?}", branch.wire)]);
        code.add(&format!("{}({}),", branch.name, branch.ty.text));
        imports.add_type(&branch.ty);
    }
    code.doc("A kind that is not known here, with all that the agent wrote of it.");
    code.add("#[serde(untagged)]\nUnknown(RawObject),\n}");
    let arms = union.branches.iter().map(|branch| {
        let (wire, name) = (&branch.wire, &branch.name);
        format!("{wire:?} => Self::{name}(members.decode()?), ")
    });
    let arms: String = arms.collect();
    let value = format!(
        "Ok(match members.text({tag:?})?.as_str() {{ {arms} _ => Self::Unknown(members) }})"
    );
    from_members(name, "members", &value, code);
}

/// How a type is made of all members of an object.
fn from_members(name: &str, parameter: &str, value: &str, code: &mut Code) {
    code.add(&format!(
        "
impl TryFrom<RawObject> for {name} {{
    type Error = JsonError;

    fn try_from({parameter}: RawObject) -> Result<Self, JsonError> {{
        {value}
    }}
}}"
    ));
}
