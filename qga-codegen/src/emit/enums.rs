//! Enums, which keep a value they do not know as text.

use super::imports::Imports;
use super::layout::Code;
use crate::plan::{Type, Variant};

pub(super) fn write(ty: &Type, variants: &[Variant], code: &mut Code, imports: &mut Imports) {
    for path in ["std::fmt", "serde::Deserialize", "serde::Serialize"] {
        imports.add(path);
    }
    let name = &ty.name;
    code.blank();
    code.doc(&ty.doc);
    code.line("#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]");
    code.line("#[serde(from = \"String\", into = \"String\")]");
    code.line("#[non_exhaustive]");
    code.open(&format!("pub enum {name} {{"));
    for variant in variants {
        code.doc(&variant.doc);
        code.line(&format!("{},", variant.name));
    }
    code.doc("A value that is not known here, as the agent wrote it.");
    code.line("Unknown(String),");
    code.close("}");
    as_str(name, variants, code);
    conversions(name, variants, code);
}

fn as_str(name: &str, variants: &[Variant], code: &mut Code) {
    code.blank();
    code.open(&format!("impl {name} {{"));
    code.doc("The value as it is on the wire.");
    code.line("#[must_use]");
    code.open("pub fn as_str(&self) -> &str {");
    code.open("match self {");
    for variant in variants {
        code.arm(
            &format!("Self::{}", variant.name),
            &format!("{:?}", variant.wire),
        );
    }
    code.arm("Self::Unknown(value)", "value");
    code.close("}");
    code.close("}");
    code.close("}");
}

fn conversions(name: &str, variants: &[Variant], code: &mut Code) {
    code.blank();
    code.open(&format!("impl From<String> for {name} {{"));
    code.open("fn from(value: String) -> Self {");
    code.open("match value.as_str() {");
    for variant in variants {
        code.arm(
            &format!("{:?}", variant.wire),
            &format!("Self::{}", variant.name),
        );
    }
    code.arm("_", "Self::Unknown(value)");
    code.close("}");
    code.close("}");
    code.close("}");
    code.blank();
    code.open(&format!("impl From<{name}> for String {{"));
    code.open(&format!("fn from(value: {name}) -> Self {{"));
    code.line("value.as_str().to_owned()");
    code.close("}");
    code.close("}");
    code.blank();
    code.open(&format!("impl fmt::Display for {name} {{"));
    code.open("fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {");
    code.line("f.pad(self.as_str())");
    code.close("}");
    code.close("}");
}
