//! Unions, which keep a branch they do not know as JSON, and alternates.

use super::imports::Imports;
use super::layout::Code;
use super::structs;
use crate::plan::{Field, RustType, Shape, Type, Union, Variant};

pub(super) fn write(ty: &Type, union: &Union, code: &mut Code, imports: &mut Imports) {
    for path in ["Deserialize", "Deserializer", "Serialize", "de::Error"] {
        imports.add(&format!("serde::{path}"));
    }
    imports.add("serde_json::Map");
    imports.add("serde_json::Value");
    let kind = if union.fields.is_empty() {
        code.blank();
        code.doc(&ty.doc);
        ty.name.clone()
    } else {
        let kind = format!("{}Kind", ty.name);
        code.blank();
        code.doc(&ty.doc);
        structs::derive(ty, "Serialize, Deserialize", code);
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
        code.blank();
        code.doc(&format!(
            "What a [`{}`] has depending on its kind.",
            ty.name
        ));
        kind
    };
    write_enum(ty, &kind, union, code, imports);
    write_deserialize(&kind, union, code, imports);
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
    }
}

fn write_enum(ty: &Type, name: &str, union: &Union, code: &mut Code, imports: &mut Imports) {
    structs::derive(ty, "Serialize", code);
    code.line(&format!("#[serde(tag = {:?})]", union.discriminator));
    code.line("#[non_exhaustive]");
    code.open(&format!("pub enum {name} {{"));
    for variant in &union.branches {
        code.doc(&variant.doc);
        code.attribute("serde", &[format!("rename = {:?}", variant.wire)]);
        write_variant(variant, code, imports);
    }
    code.doc("A kind that is not known here, with all that the agent wrote of it.");
    code.line("#[serde(untagged)]");
    code.line("Unknown(Map<String, Value>),");
    code.close("}");
}

fn write_variant(variant: &Variant, code: &mut Code, imports: &mut Imports) {
    if let Some(ty) = &variant.ty {
        imports.add_type(ty);
        code.line(&format!("{}({}),", variant.name, ty.text));
    }
}

fn write_deserialize(name: &str, union: &Union, code: &mut Code, imports: &mut Imports) {
    let decode = decoding(union, imports);
    let tag = &union.discriminator;
    code.blank();
    code.open(&format!("impl<'de> Deserialize<'de> for {name} {{"));
    code.function(
        "fn deserialize<D: Deserializer<'de>>",
        &["deserializer: D".to_owned()],
        " -> Result<Self, D::Error>",
    );
    code.line("let members = Map::deserialize(deserializer)?;");
    code.open(&format!(
        "let branch = match members.get({tag:?}).and_then(Value::as_str) {{"
    ));
    for variant in &union.branches {
        let head = format!("Some({:?})", variant.wire);
        code.arm(&head, &format!("{decode}.map(Self::{})", variant.name));
    }
    code.arm("Some(_)", "return Ok(Self::Unknown(members))");
    code.arm(
        "None",
        &format!("return Err(D::Error::missing_field({tag:?}))"),
    );
    code.close("};");
    code.line("branch.map_err(D::Error::custom)");
    code.close("}");
    code.close("}");
}

/// The call that decodes a branch.
fn decoding(union: &Union, imports: &mut Imports) -> String {
    let Some(path) = &union.decode else {
        return "serde_json::from_value(Value::Object(members))".to_owned();
    };
    let Some((module, function)) = path.rsplit_once("::") else {
        return format!("{path}(members)");
    };
    imports.add(module);
    let module = module.rsplit("::").next().unwrap_or(module);
    format!("{module}::{function}(members)")
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
    structs::derive(ty, "Serialize, Deserialize", code);
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
