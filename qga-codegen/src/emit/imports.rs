//! The `use` lines of a module.

use std::collections::{BTreeMap, BTreeSet};

use super::layout::{Code, WIDTH};
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
        let mut paths: Vec<_> = self.0.iter().collect();
        paths.sort_by_key(|(from, names)| (group_of(from), order(from, names)));
        let mut last = None;
        for (from, names) in paths {
            if last != Some(group_of(from)) {
                code.blank();
            }
            last = Some(group_of(from));
            line(code, from, names);
        }
    }
}

fn group_of(path: &str) -> u8 {
    match path.split("::").next() {
        Some("std" | "core" | "alloc") => 0,
        Some("crate" | "super" | "self") => 2,
        _ => 1,
    }
}

/// rustfmt's order: `self`, `super` and `crate` first, modules before types, lists last.
fn order(from: &str, names: &BTreeSet<String>) -> Vec<(u8, String)> {
    let last = match names.first() {
        Some(only) if names.len() == 1 => only.as_str(),
        _ => "{",
    };
    let rank = |segment: &str| match segment {
        "self" => 0,
        "super" => 1,
        "crate" => 2,
        "{" => 5,
        _ if segment.starts_with(|first: char| first.is_ascii_uppercase()) => 4,
        _ => 3,
    };
    let segments = from.split("::").chain([last]);
    segments
        .map(|segment| (rank(segment), segment.to_owned()))
        .collect()
}

fn line(code: &mut Code, from: &str, names: &BTreeSet<String>) {
    let parts: Vec<_> = names.iter().cloned().collect();
    let line = match parts.as_slice() {
        [name] => format!("use {from}::{name};"),
        _ => format!("use {from}::{{{}}};", parts.join(", ")),
    };
    if line.len() <= WIDTH {
        code.line(&line);
    } else {
        code.open(&format!("use {from}::{{"));
        code.packed(&parts);
        code.close("};");
    }
}
