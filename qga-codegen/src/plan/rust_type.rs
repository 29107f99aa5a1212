//! The types of fields.

/// A type as a field has it, without `Option`.
#[derive(Clone, Debug)]
pub(crate) struct RustType {
    /// How it is written.
    pub(crate) text: String,
    /// What must be imported for that.
    pub(crate) imports: Vec<String>,
    /// How a caller hands it over.
    pub(crate) shape: Shape,
}

/// How a caller hands over a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// As it is.
    Plain,
    /// As anything that turns into it.
    Into,
    /// As any sequence of what turns into a string.
    Texts,
}

impl RustType {
    /// A type of the language of schemas, if this is one.
    pub(crate) fn builtin(name: &str) -> Option<Self> {
        let (text, shape) = match name {
            "str" => ("String", Shape::Into),
            "bool" => ("bool", Shape::Plain),
            "int" | "int64" => ("i64", Shape::Plain),
            "int8" => ("i8", Shape::Plain),
            "int16" => ("i16", Shape::Plain),
            "int32" => ("i32", Shape::Plain),
            "uint8" => ("u8", Shape::Plain),
            "uint16" => ("u16", Shape::Plain),
            "uint32" => ("u32", Shape::Plain),
            "uint64" | "size" => ("u64", Shape::Plain),
            "number" => ("f64", Shape::Plain),
            "null" => ("()", Shape::Plain),
            "any" => return Some(Self::path("serde_json::Value", Shape::Into)),
            _ => return None,
        };
        Some(Self {
            text: text.to_owned(),
            imports: Vec::new(),
            shape,
        })
    }

    /// Whether a name is that of a number in Rust.
    pub(crate) fn is_number(name: &str) -> bool {
        let kind = name.trim_start_matches(['u', 'i', 'f']);
        kind.len() + 1 == name.len() && ["8", "16", "32", "64", "128", "size"].contains(&kind)
    }

    /// A type by its full path, which is imported.
    pub(crate) fn path(path: &str, shape: Shape) -> Self {
        let text = path.rsplit("::").next().unwrap_or(path).to_owned();
        let imports = if text == path {
            Vec::new()
        } else {
            vec![path.to_owned()]
        };
        Self {
            text,
            imports,
            shape,
        }
    }

    pub(crate) fn list(self) -> Self {
        let shape = if self.text == "String" {
            Shape::Texts
        } else {
            Shape::Into
        };
        Self {
            text: format!("Vec<{}>", self.text),
            imports: self.imports,
            shape,
        }
    }

    pub(crate) fn boxed(self) -> Self {
        Self {
            text: format!("Box<{}>", self.text),
            imports: self.imports,
            shape: Shape::Into,
        }
    }
}
