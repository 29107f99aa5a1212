//! Which keys there are, where each belongs, and what it takes.

use crate::errors::Errors;
use crate::parse::{self, Entry, Value};
use crate::suggest;
use proc_macro2::Ident;
use quote::ToTokens;
use syn::{Expr, LitStr, Path, Type};

pub(crate) const ON_STRUCT: AllowedKeys = AllowedKeys {
    item: "the struct",
    keys: &[
        Key::new("name", "name = \"guest-ping\""),
        Key::new("response", "response = HostName"),
        Key::new("no_response", "no_response"),
        Key::new("retry", "retry = Safe"),
        Key::new("check", "check = \"what guest-get-vcpus says\""),
        Key::new("secret_reply", "secret_reply"),
        Key::new("reply_limit", "reply_limit = 48 * 1024 * 1024"),
        Key::new("protocol", "protocol = qga_qmp::Qmp"),
        Key::new("crate", "crate = path::to::core"),
    ],
};

pub(crate) const ON_FIELD: AllowedKeys = AllowedKeys {
    item: "a field",
    keys: &[
        Key::new("rename", "rename = \"wire-name\""),
        Key::new("base64", "base64"),
        Key::new("skip", "skip"),
    ],
};

/// What an attribute may hold, by the item that it stands on.
#[derive(Clone, Copy)]
pub(crate) struct AllowedKeys {
    item: &'static str,
    keys: &'static [Key],
}

struct Key {
    word: &'static str,
    example: &'static str,
}

/// The attributes of one item: known ones, each once.
pub(crate) struct Attributes {
    found: Vec<Attribute>,
    /// Some could not be read.
    pub(crate) malformed: bool,
}

pub(crate) struct Attribute {
    key: &'static Key,
    entry: Entry,
}

impl Attributes {
    pub(crate) fn read(item: &[syn::Attribute], allowed: AllowedKeys, errors: &mut Errors) -> Self {
        let before = errors.len();
        let entries = parse::entries(item, "qga", errors);
        let mut attributes = Self {
            found: Vec::new(),
            malformed: errors.len() > before,
        };
        for entry in entries {
            if let Some(key) = allowed.find(&entry.key, errors) {
                attributes.add(Attribute { key, entry }, errors);
            }
        }
        attributes
    }

    pub(crate) fn get(&self, word: &str) -> Option<&Attribute> {
        self.iter().find(|attribute| attribute.word() == word)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Attribute> {
        self.found.iter()
    }

    pub(crate) fn flag(&self, word: &str, errors: &mut Errors) -> bool {
        let Some(attribute) = self.get(word) else {
            return false;
        };
        if !matches!(attribute.entry.value, Value::Missing) {
            let message = format!("`{word}` takes no value");
            errors.push(attribute.entry.value_or_key(), message);
        }
        true
    }

    fn add(&mut self, attribute: Attribute, errors: &mut Errors) {
        let word = attribute.word();
        if self.get(word).is_some() {
            errors.push(attribute.ident(), format_args!("`{word}` is given twice"));
        } else {
            self.found.push(attribute);
        }
    }
}

impl Attribute {
    pub(crate) fn word(&self) -> &'static str {
        self.key.word
    }

    pub(crate) fn ident(&self) -> &Ident {
        &self.entry.key
    }

    pub(crate) fn text(&self, errors: &mut Errors) -> Option<&LitStr> {
        match &self.entry.value {
            Value::Text(text) => Some(text),
            _ => self.expected("a string in quotes", errors),
        }
    }

    /// The text, where it is written in quotes.
    pub(crate) fn quoted(&self) -> Option<&LitStr> {
        match &self.entry.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// A type. One in quotes is an error, and then counts as if it were not.
    pub(crate) fn ty(&self, errors: &mut Errors) -> Option<Type> {
        match &self.entry.value {
            Value::Type(ty) => Some((**ty).clone()),
            Value::Text(text) => {
                let unquoted = format!("{} = {}", self.word(), text.value());
                errors.push(text, format_args!("write it without quotes: `{unquoted}`"));
                text.parse().ok()
            }
            _ => self.expected("a type", errors),
        }
    }

    /// A path, which is a `what`.
    pub(crate) fn path(&self, what: &str, errors: &mut Errors) -> Option<Path> {
        let mut ty = match self.entry.value {
            Value::Type(_) | Value::Text(_) => self.ty(errors)?,
            Value::Missing | Value::Other(_) => return self.expected(what, errors),
        };
        while let Type::Group(group) = ty {
            ty = *group.elem;
        }
        match ty {
            Type::Path(path) if path.qself.is_none() => Some(path.path),
            _ => self.expected(what, errors),
        }
    }

    pub(crate) fn expression(&self, errors: &mut Errors) -> Option<Expr> {
        let tokens = match &self.entry.value {
            Value::Type(ty) => ty.to_token_stream(),
            Value::Other(tokens) => tokens.clone(),
            Value::Missing | Value::Text(_) => return self.expected("a number", errors),
        };
        match syn::parse2(tokens) {
            Ok(expression) => Some(expression),
            Err(_) => self.expected("a number", errors),
        }
    }

    /// Reports that something else was expected as its value.
    pub(crate) fn expected<T>(&self, what: &str, errors: &mut Errors) -> Option<T> {
        let message = format!("expected {what}, as in `{}`", self.key.example);
        errors.push(self.entry.value_or_key(), message);
        None
    }
}

impl AllowedKeys {
    /// What `written` means. A misspelled key is an error, and then counts as the right one.
    fn find(self, written: &Ident, errors: &mut Errors) -> Option<&'static Key> {
        let word = written.to_string();
        if let Some(key) = self.get(&word) {
            return Some(key);
        }
        for other in [ON_STRUCT, ON_FIELD] {
            if other.get(&word).is_some() {
                errors.push(written, format_args!("`{word}` belongs on {}", other.item));
                return None;
            }
        }
        let words: Vec<_> = self.keys.iter().map(|key| key.word).collect();
        let (message, meant) = suggest::unknown("attribute", &word, &words);
        errors.push(written, message);
        self.get(meant?)
    }

    fn get(self, word: &str) -> Option<&'static Key> {
        self.keys.iter().find(|key| key.word == word)
    }
}

impl Key {
    const fn new(word: &'static str, example: &'static str) -> Self {
        Self { word, example }
    }
}
