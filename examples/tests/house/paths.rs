//! The paths within its crate that a file names.

use std::collections::BTreeMap;

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{File, Item, UseTree};

use crate::modules::{Place, is_for_tests};

/// The paths in a file that begin with `crate`, `self` or `super`, from the root of the crate.
pub(crate) fn in_file(file: &File, place: &[String]) -> Vec<Place> {
    Found::in_file(file, place).paths
}

/// All other paths in a file, and the names of the methods that it calls.
pub(crate) fn outside(file: &File) -> Vec<Place> {
    Found::in_file(file, &[]).outside
}

/// The names that a module gives on, and what they stand for.
pub(crate) fn re_exports(file: &File, place: &[String]) -> BTreeMap<String, Place> {
    let mut names = BTreeMap::new();
    for item in &file.items {
        let Item::Use(item) = item else { continue };
        if matches!(item.vis, syn::Visibility::Inherited) || is_for_tests(&item.attrs) {
            continue;
        }
        let mut leaves = Vec::new();
        flatten(&item.tree, &mut Vec::new(), &mut leaves);
        for (path, name) in leaves {
            // A path here may also begin with a child module.
            let target = from_root(&path, place).unwrap_or_else(|| [place, &path].concat());
            names.insert(name, target);
        }
    }
    names
}

struct Found {
    place: Place,
    paths: Vec<Place>,
    outside: Vec<Place>,
}

impl Found {
    fn in_file(file: &File, place: &[String]) -> Self {
        let mut found = Self {
            place: place.to_vec(),
            paths: Vec::new(),
            outside: Vec::new(),
        };
        found.visit_file(file);
        found
    }

    fn add(&mut self, path: &[String]) {
        match from_root(path, &self.place) {
            Some(path) => self.paths.push(path),
            None => self.outside.push(path.to_vec()),
        }
    }

    /// A macro's arguments may hold paths.
    fn add_tokens(&mut self, tokens: TokenStream) {
        let mut path: Vec<String> = Vec::new();
        let mut colons = 0;
        for token in tokens {
            match token {
                TokenTree::Ident(ident) => {
                    if colons != 2 {
                        self.add(&path);
                        path.clear();
                    }
                    path.push(ident.to_string());
                    colons = 0;
                }
                TokenTree::Punct(punct) if punct.as_char() == ':' => colons += 1,
                TokenTree::Group(group) => self.add_tokens(group.stream()),
                _ => colons = 0,
            }
        }
        self.add(&path);
    }
}

impl<'ast> Visit<'ast> for Found {
    fn visit_item(&mut self, item: &'ast Item) {
        let attributes = match item {
            Item::Mod(item) => &item.attrs,
            Item::Fn(item) => &item.attrs,
            Item::Use(item) => &item.attrs,
            Item::Impl(item) => &item.attrs,
            _ => &Vec::new(),
        };
        if is_for_tests(attributes) {
            return;
        }
        match item {
            Item::Mod(module) if module.content.is_some() => {
                self.place.push(module.ident.to_string());
                visit::visit_item(self, item);
                self.place.pop();
            }
            _ => visit::visit_item(self, item),
        }
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        let mut leaves = Vec::new();
        flatten(&item.tree, &mut Vec::new(), &mut leaves);
        for (path, _) in leaves {
            self.add(&path);
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let names: Vec<_> = path
            .segments
            .iter()
            .map(|part| part.ident.to_string())
            .collect();
        self.add(&names);
        visit::visit_path(self, path);
    }

    fn visit_expr_method_call(&mut self, call: &'ast syn::ExprMethodCall) {
        self.outside.push(vec![call.method.to_string()]);
        visit::visit_expr_method_call(self, call);
    }

    fn visit_macro(&mut self, found: &'ast syn::Macro) {
        self.visit_path(&found.path);
        self.add_tokens(found.tokens.clone());
    }
}

/// The path from the root of the crate, if it is one within the crate.
fn from_root(path: &[String], place: &[String]) -> Option<Place> {
    let mut rest = path;
    let mut base = match path.first()?.as_str() {
        "crate" => Vec::new(),
        "self" | "super" => place.to_vec(),
        _ => return None,
    };
    while let [first, more @ ..] = rest
        && ["crate", "self", "super"].contains(&first.as_str())
    {
        if first == "super" {
            base.pop();
        }
        rest = more;
    }
    base.extend_from_slice(rest);
    Some(base)
}

/// Each path of a tree, with the name that it gets.
pub(crate) fn flatten(tree: &UseTree, before: &mut Place, leaves: &mut Vec<(Place, String)>) {
    match tree {
        UseTree::Path(path) => {
            before.push(path.ident.to_string());
            flatten(&path.tree, before, leaves);
            before.pop();
        }
        UseTree::Group(group) => {
            for tree in &group.items {
                flatten(tree, before, leaves);
            }
        }
        UseTree::Name(name) => {
            let name = name.ident.to_string();
            leaves.push(([before.clone(), vec![name.clone()]].concat(), name));
        }
        UseTree::Rename(name) => {
            let path = [before.clone(), vec![name.ident.to_string()]].concat();
            leaves.push((path, name.rename.to_string()));
        }
        UseTree::Glob(_) => leaves.push((before.clone(), "*".to_owned())),
    }
}
