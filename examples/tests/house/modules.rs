//! The modules of a crate, as its files say.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use syn::{File, Item, Meta};

use crate::paths;

/// A module's place in its crate; the root's is empty.
pub(crate) type Place = Vec<String>;

pub(crate) struct Modules(BTreeMap<Place, File>);

impl Modules {
    pub(crate) fn read(name: &str) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("..")
            .join(name)
            .join("src");
        let mut modules = Self(BTreeMap::new());
        for file in ["lib.rs", "main.rs"] {
            let file = root.join(file);
            if modules.0.is_empty() && file.exists() {
                modules.add(Place::new(), &file, &root);
            }
        }
        modules
    }

    /// Modules that a test makes up.
    pub(crate) fn of<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let parsed = files.into_iter().map(|(place, text)| {
            let place = place.split("::").filter(|part| !part.is_empty());
            (
                place.map(str::to_owned).collect(),
                syn::parse_file(text).unwrap(),
            )
        });
        Self(parsed.collect())
    }

    /// The modules right below another one, or below the root if that has no name.
    pub(crate) fn children(&self, parent: &str) -> impl Iterator<Item = String> {
        self.0.keys().filter_map(move |place| {
            let (name, folders) = place.split_last()?;
            (folders.join("::") == parent).then(|| name.clone())
        })
    }

    /// Each module and its file.
    pub(crate) fn files(&self) -> impl Iterator<Item = (&Place, &File)> {
        self.0.iter()
    }

    /// From each module to each that it names.
    pub(crate) fn uses(&self) -> Vec<(Place, Place)> {
        let of_file = |(place, file): (&Place, &File)| {
            let place = place.clone();
            let paths = paths::in_file(file, &place);
            paths
                .into_iter()
                .map(move |path| (place.clone(), path))
                .collect::<Vec<_>>()
        };
        let uses = self.0.iter().flat_map(of_file);
        uses.map(|(from, path)| (from, self.module_of(&path, 0)))
            .collect()
    }

    /// The module in which the item stands that a path from the root leads to, behind re-exports too.
    fn module_of(&self, path: &[String], depth: usize) -> Place {
        let is_module = |end: &usize| self.0.contains_key(&path[..*end]);
        let end = (0..=path.len()).rev().find(is_module).unwrap_or(0);
        let module = path[..end].to_vec();
        let Some(name) = path.get(end).filter(|_| depth < 10) else {
            return module;
        };
        match paths::re_exports(&self.0[&module], &module).get(name) {
            Some(target) => self.module_of(target, depth + 1),
            None => module,
        }
    }

    fn add(&mut self, place: Place, file: &Path, folder: &Path) {
        let text = fs::read_to_string(file).unwrap_or_else(|_| panic!("{}", file.display()));
        let parsed = syn::parse_file(&text).unwrap();
        for item in &parsed.items {
            let Item::Mod(module) = item else { continue };
            if module.content.is_some() || is_for_tests(&module.attrs) {
                continue;
            }
            let name = module.ident.to_string();
            let child = [place.clone(), vec![name.clone()]].concat();
            let (file, below) = file_of(&name, &module.attrs, file, folder);
            self.add(child, &file, &below);
        }
        self.0.insert(place, parsed);
    }
}

/// The file of a module, and the folder in which its children are.
fn file_of(
    name: &str,
    attributes: &[syn::Attribute],
    parent: &Path,
    folder: &Path,
) -> (PathBuf, PathBuf) {
    if let Some(path) = attributes.iter().find_map(path_attribute) {
        let file = parent.parent().unwrap().join(path);
        let below = file.with_extension("");
        return (file, below);
    }
    let below = folder.join(name);
    let file = folder.join(format!("{name}.rs"));
    if file.exists() {
        (file, below)
    } else {
        (below.join("mod.rs"), below)
    }
}

fn path_attribute(attribute: &syn::Attribute) -> Option<String> {
    let Meta::NameValue(meta) = &attribute.meta else {
        return None;
    };
    let syn::Expr::Lit(value) = &meta.value else {
        return None;
    };
    match &value.lit {
        syn::Lit::Str(text) if meta.path.is_ident("path") => Some(text.value()),
        _ => None,
    }
}

/// Whether an item is compiled for tests only.
pub(crate) fn is_for_tests(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        Meta::List(list) => list.path.is_ident("cfg") && list.tokens.to_string() == "test",
        _ => attribute.path().is_ident("test"),
    })
}
