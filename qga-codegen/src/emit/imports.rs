//! The `use` lines of a module.

use std::collections::{BTreeMap, BTreeSet};

use super::code::Code;
use crate::plan::RustType;

/// Names by the path that they are imported from.
#[derive(Debug, Default)]
pub(super) struct Imports(BTreeMap<String, BTreeSet<String>>);

impl Imports {
    pub(super) fn add(&mut self, path: &str) {
        if let Some((from, name)) = path.rsplit_once("::") {
            let names = self.0.entry(from.to_owned()).or_default();
            names.insert(name.to_owned());
        }
    }

    pub(super) fn add_type(&mut self, ty: &RustType) {
        for path in &ty.imports {
            self.add(path);
        }
    }

    /// Writes the standard library's first, then other crates', then this one's.
    pub(super) fn write(&self, code: &mut Code) {
        for group in [Group::Std, Group::OtherCrate, Group::ThisCrate] {
            let mut paths = self.0.iter().filter(|(from, _)| group_of(from) == group);
            let mut next = paths.next();
            if next.is_some() {
                code.blank();
            }
            while let Some((from, names)) = next {
                let names: Vec<_> = names.iter().map(String::as_str).collect();
                code.add(&format!("use {from}::{{{}}};", names.join(", ")));
                next = paths.next();
            }
        }
    }
}

#[derive(PartialEq, Eq)]
enum Group {
    Std,
    OtherCrate,
    ThisCrate,
}

fn group_of(path: &str) -> Group {
    match path.split("::").next() {
        Some("std" | "core" | "alloc") => Group::Std,
        Some("crate" | "super" | "self") => Group::ThisCrate,
        _ => Group::OtherCrate,
    }
}
