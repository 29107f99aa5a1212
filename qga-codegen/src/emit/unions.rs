//! Unions, which keep a branch they do not know as it was written, and alternates.

use super::imports::Imports;
use super::layout::Code;
use super::structs;
use crate::plan::{Field, RustType, Shape, Type, Union, Variant};

/// By what a union is read: a branch that is not known stays as it was written.
pub(super) const FROM_MEMBERS: &str = "try_from = \"RawObject\"";

pub(super) fn write(ty: &Type, union: &Union, code: &mut Code, imports: &mut Imports) {
    for path in [
        "qga_core::JsonError",
        "qga_core::RawObject",
        "serde::Deserialize",
        "serde::Serialize",
    ] {
        imports.add(path);
    }
    let kind = if union.fields.is_empty() {
        code.blank();
        code.doc(&ty.doc);
        ty.name.clone()
    } else {
        let kind = format!("{}Kind", ty.name);
        code.blank();
        code.doc(&ty.doc);
        structs::derive(ty, &union.fields, "Serialize, Deserialize", code);
        structs::write_body(&ty.name, &union.fields, Some(&kind), code, imports);
        if ty.input {
            let fields: Vec<_> = union
                .fields
                .iter()
                .cloned()
                .chain([branch(&kind)])
                .collect();
            structs::constructor(&ty.name, &fields, "A value", code);
        }
        write_from_members(&ty.name, &union.fields, code);
        code.blank();
        code.doc(&format!(
            "What a [`{}`] has depending on its kind.",
            ty.name
        ));
        kind
    };
    write_enum(ty, &kind, union, code, imports);
    write_enum_from_members(&kind, union, code);
}

/// The field with the branch.
fn branch(kind: &str) -> Field {
    Field {
        wire: String::new(),
        name: "kind".to_owned(),
        doc: String::new(),
        ty: RustType::path(kind, Shape::Plain),
        optional: false,
        base64: false,
        hidden: None,
    }
}

fn write_enum(ty: &Type, name: &str, union: &Union, code: &mut Code, imports: &mut Imports) {
    structs::derive(ty, &[], "Serialize, Deserialize", code);
    let tag = format!("tag = {:?}", union.discriminator);
    code.attribute("serde", &[tag, FROM_MEMBERS.to_owned()]);
    code.line("#[non_exhaustive]");
    code.open(&format!("pub enum {name} {{"));
    for variant in &union.branches {
        code.doc(&variant.doc);
        code.attribute("serde", &[format!("rename = {:?}", variant.wire)]);
        write_variant(variant, code, imports);
    }
    code.doc("A kind that is not known here, with all that the agent wrote of it.");
    code.line("#[serde(untagged)]");
    code.line("Unknown(RawObject),");
    code.close("}");
}

fn write_variant(variant: &Variant, code: &mut Code, imports: &mut Imports) {
    if let Some(ty) = &variant.ty {
        imports.add_type(ty);
        code.line(&format!("{}({}),", variant.name, ty.text));
    }
}

/// How the struct with the members beside the branch is made of the whole object.
fn write_from_members(name: &str, fields: &[Field], code: &mut Code) {
    open_from_members(name, "mut members", code);
    code.open("Ok(Self {");
    for field in fields {
        let take = if field.optional {
            "take_optional"
        } else {
            "take"
        };
        let call = format!(".{take}({:?})?", field.wire);
        code.called(&format!("{}: ", field.name), "members", &call, ",");
    }
    code.line("kind: members.try_into()?,");
    code.close("})");
    code.close("}");
    code.close("}");
}

fn write_enum_from_members(name: &str, union: &Union, code: &mut Code) {
    open_from_members(name, "members", code);
    let tag = &union.discriminator;
    code.open(&format!("Ok(match members.text({tag:?})?.as_str() {{"));
    for variant in &union.branches {
        let value = format!("Self::{}(members.decode()?)", variant.name);
        code.arm(&format!("{:?}", variant.wire), &value);
    }
    code.arm("_", "Self::Unknown(members)");
    code.close("})");
    code.close("}");
    code.close("}");
}

fn open_from_members(name: &str, parameter: &str, code: &mut Code) {
    code.blank();
    code.open(&format!("impl TryFrom<RawObject> for {name} {{"));
    code.line("type Error = JsonError;");
    code.blank();
    code.open(&format!(
        "fn try_from({parameter}: RawObject) -> Result<Self, JsonError> {{"
    ));
}

pub(super) fn write_alternate(
    ty: &Type,
    variants: &[Variant],
    code: &mut Code,
    imports: &mut Imports,
) {
    imports.add("serde::Deserialize");
    imports.add("serde::Serialize");
    code.blank();
    code.doc(&ty.doc);
    structs::derive(ty, &[], "Serialize, Deserialize", code);
    code.line("#[serde(untagged)]");
    code.line("#[non_exhaustive]");
    code.open(&format!("pub enum {} {{", ty.name));
    for variant in variants {
        code.doc(&variant.doc);
        write_variant(variant, code, imports);
    }
    code.close("}");
    for variant in variants {
        from(&ty.name, variant, code);
    }
}

fn from(name: &str, variant: &Variant, code: &mut Code) {
    let Some(ty) = &variant.ty else {
        return;
    };
    code.blank();
    code.open(&format!("impl From<{}> for {name} {{", ty.text));
    code.open(&format!("fn from(value: {}) -> Self {{", ty.text));
    code.line(&format!("Self::{}(value)", variant.name));
    code.close("}");
    code.close("}");
}
