//! Enums, which keep a value they do not know as text.

use super::code::Code;
use super::imports::Imports;
use crate::plan::{TypePlan, Variant};

pub(super) fn write(ty: &TypePlan, variants: &[Variant], code: &mut Code, imports: &mut Imports) {
    for path in ["std::fmt", "serde::Deserialize", "serde::Serialize"] {
        imports.add(path);
    }
    code.blank();
    code.doc(&ty.doc);
    code.add(&format!(
        "#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(from = \"String\", into = \"String\")]
        #[non_exhaustive]
        pub enum {} {{",
        ty.name
    ));
    for variant in variants {
        code.doc(&variant.doc);
        code.add(&format!("{},", variant.name));
    }
    code.doc("A value that is not known here, as it was written.");
    code.add("Unknown(String),\n}");
    code.add(&conversions(&ty.name, variants));
}

fn conversions(name: &str, variants: &[Variant]) -> String {
    let to_wire = arms(variants, |ty| {
        format!("Self::{} => {:?}, ", ty.name, ty.wire)
    });
    let from_wire = arms(variants, |ty| {
        format!("{:?} => Self::{}, ", ty.wire, ty.name)
    });
    format!(
        "
impl {name} {{
    /// The value as it is on the wire.
    #[must_use]
    pub fn as_str(&self) -> &str {{
        match self {{
            {to_wire}
            Self::Unknown(value) => value,
        }}
    }}
}}

impl From<String> for {name} {{
    fn from(value: String) -> Self {{
        match value.as_str() {{
            {from_wire}
            _ => Self::Unknown(value),
        }}
    }}
}}

impl From<{name}> for String {{
    fn from(value: {name}) -> Self {{
        value.as_str().to_owned()
    }}
}}

impl fmt::Display for {name} {{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {{
        f.pad(self.as_str())
    }}
}}"
    )
}

fn arms(variants: &[Variant], arm: impl Fn(&Variant) -> String) -> String {
    variants.iter().map(arm).collect()
}
