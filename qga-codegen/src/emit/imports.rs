//! The `use` lines of a module.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use super::layout::{Code, WIDTH};
use super::order;
use crate::plan::RustType;

/// Names by the path that they are imported from.
#[derive(Debug, Default)]
pub(super) struct Imports(BTreeMap<String, BTreeSet<String>>);

/// A path and the names from there.
type Line<'a> = (&'a String, &'a BTreeSet<String>);

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
        paths.sort_by(|a, b| {
            group_of(a.0)
                .cmp(&group_of(b.0))
                .then_with(|| compare(a, b))
        });
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

/// Compares lines as rustfmt does, where a list comes last.
fn compare((from, names): &Line<'_>, (other_from, other_names): &Line<'_>) -> Ordering {
    let path = |from: &str, names: &BTreeSet<String>| -> Vec<String> {
        let last = match names.first() {
            Some(only) if names.len() == 1 => only.as_str(),
            _ => "{",
        };
        from.split("::").chain([last]).map(str::to_owned).collect()
    };
    let (path, other) = (path(from, names), path(other_from, other_names));
    let segments = path.iter().zip(&other);
    segments
        .map(|(segment, other)| order::segments(segment, other))
        .find(|order| order.is_ne())
        .unwrap_or_else(|| path.len().cmp(&other.len()))
}

fn line(code: &mut Code, from: &str, names: &BTreeSet<String>) {
    let mut parts: Vec<_> = names.iter().cloned().collect();
    parts.sort_by(|a, b| order::segments(a, b));
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
