//! `#[serde(...)]` on a command: the derive does not look at it, so nobody may think that it does.

use crate::errors::Errors;
use crate::parse::{self, Entry, Value};
use syn::Attribute;

/// Reports each key of serde's on the struct, with what to write instead.
pub(crate) fn on_struct(attributes: &[Attribute], errors: &mut Errors) {
    report(attributes, errors, |entry| match word(entry).as_str() {
        "rename" => "write `#[qga(name = \"guest-...\")]`".to_owned(),
        "rename_all" => match &entry.value {
            Value::Text(case) if case.value() == "kebab-case" => {
                "leave it out: a field is sent with `-` for each `_` anyway".to_owned()
            }
            _ => "write `#[qga(rename = \"...\")]` above each field that is not sent with `-` for \
                  each `_`"
                .to_owned(),
        },
        "crate" => "write `#[qga(crate = path::to::core)]`".to_owned(),
        "default" => "write `Option` as the type of each field that may be left out".to_owned(),
        "bound" => {
            "write a `where` clause, if the derive does not find the bound itself".to_owned()
        }
        _ => "leave it out: the fields are the arguments, each on its own".to_owned(),
    });
}

/// The same on a field.
pub(crate) fn on_field(attributes: &[Attribute], errors: &mut Errors) {
    report(attributes, errors, |entry| match word(entry).as_str() {
        "rename" => match &entry.value {
            Value::Text(name) => format!("write `#[qga(rename = {:?})]`", name.value()),
            _ => "write `#[qga(rename = \"wire-name\")]`".to_owned(),
        },
        "skip" | "skip_serializing" => "write `#[qga(skip)]`".to_owned(),
        "skip_serializing_if" => {
            "write `Option` as the field's type: it is not sent while it is `None`".to_owned()
        }
        "default" => "write `Option` as the field's type if it may be left out".to_owned(),
        "with" | "serialize_with" => "give the field a type that serializes so, or write \
                                      `#[qga(base64)]` if it is bytes"
            .to_owned(),
        "flatten" => "write the fields of that type here, each on its own".to_owned(),
        "alias" | "deserialize_with" | "skip_deserializing" | "borrow" => {
            "leave it out: a command is sent and never read".to_owned()
        }
        _ => "leave it out".to_owned(),
    });
}

fn report(attributes: &[Attribute], errors: &mut Errors, instead: impl Fn(&Entry) -> String) {
    for entry in parse::entries(attributes, "serde", errors) {
        let message = format!(
            "`#[serde({})]` has no effect on a command; {}",
            word(&entry),
            instead(&entry)
        );
        errors.push(&entry.key, message);
    }
}

fn word(entry: &Entry) -> String {
    entry.key.to_string()
}
