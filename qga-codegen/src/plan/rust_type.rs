//! The types of fields.

/// A type as a field has it, without `Option`.
#[derive(Clone, Debug)]
pub(crate) struct RustType {
    /// How it is written.
    pub(crate) text: String,
    /// What must be imported for that.
    pub(crate) imports: Vec<String>,
    /// How a caller hands it over.
    pub(crate) parameter: Parameter,
}

/// How a caller hands over a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Parameter {
    /// As it is.
    Exact,
    /// As anything that turns into it.
    Into,
    /// As any sequence of what turns into a string.
    Strings,
}

impl RustType {
    /// A type of the language of schemas, if this is one.
    pub(crate) fn builtin(name: &str) -> Option<Self> {
        let (text, parameter) = match name {
            "str" => ("String", Parameter::Into),
            "bool" => ("bool", Parameter::Exact),
            "int" | "int64" => ("i64", Parameter::Exact),
            "int8" => ("i8", Parameter::Exact),
            "int16" => ("i16", Parameter::Exact),
            "int32" => ("i32", Parameter::Exact),
            "uint8" => ("u8", Parameter::Exact),
            "uint16" => ("u16", Parameter::Exact),
            "uint32" => ("u32", Parameter::Exact),
            "uint64" | "size" => ("u64", Parameter::Exact),
            "number" => ("f64", Parameter::Exact),
            "null" => ("()", Parameter::Exact),
            "any" => return Some(Self::path("serde_json::Value", Parameter::Into)),
            _ => return None,
        };
        Some(Self {
            text: text.to_owned(),
            imports: Vec::new(),
            parameter,
        })
    }

    /// Whether a name is that of a number in Rust.
    pub(crate) fn is_number(name: &str) -> bool {
        let kind = name.trim_start_matches(['u', 'i', 'f']);
        kind.len() + 1 == name.len() && ["8", "16", "32", "64", "128", "size"].contains(&kind)
    }

    /// A type by its full path, which is imported.
    pub(crate) fn path(path: &str, parameter: Parameter) -> Self {
        let text = path.rsplit("::").next().unwrap_or(path).to_owned();
        let imports = if text == path {
            Vec::new()
        } else {
            vec![path.to_owned()]
        };
        Self {
            text,
            imports,
            parameter,
        }
    }

    pub(crate) fn list(self) -> Self {
        let parameter = if self.text == "String" {
            Parameter::Strings
        } else {
            Parameter::Into
        };
        Self {
            text: format!("Vec<{}>", self.text),
            imports: self.imports,
            parameter,
        }
    }

    pub(crate) fn boxed(self) -> Self {
        Self {
            text: format!("Box<{}>", self.text),
            imports: self.imports,
            parameter: Parameter::Into,
        }
    }
}
