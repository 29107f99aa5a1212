//! The public items of a crate, and what belongs to each.

use std::collections::BTreeSet;

use syn::{Attribute, Fields, ImplItem, Item, Meta, TraitItem, Type};

use crate::modules::is_for_tests;
use crate::scope::{Face, Home, Scope, face, is_public, leaves};
use crate::text;

pub(crate) fn public(crate_name: &str, scope: &Scope<'_>) -> BTreeSet<String> {
    let mut listed = Listed {
        scope,
        lines: BTreeSet::new(),
    };
    listed.module(&[], crate_name, "");
    listed.lines
}

struct Listed<'a> {
    scope: &'a Scope<'a>,
    lines: BTreeSet<String>,
}

impl Listed<'_> {
    /// A module and all that can be reached through it, at the path by which users reach it.
    fn module(&mut self, place: &[String], path: &str, attributes: &str) {
        let line = [path, attributes].join(" ");
        self.lines.insert(line.trim_end().to_owned());
        for item in self.scope.items(place) {
            match item {
                Item::Use(item) if is_public(&item.vis) && is_shown(&item.attrs) => {
                    for (target, name) in leaves(item) {
                        self.re_export(place, &target, &format!("{path}::{name}"));
                    }
                }
                item => {
                    if let Some(face) = face(item) {
                        let home = (place.to_vec(), face.name.to_string());
                        self.item(&home, &format!("{path}::{}", face.name));
                    }
                }
            }
        }
    }

    fn re_export(&mut self, place: &[String], target: &[String], path: &str) {
        if let Some(home) = self.scope.resolve(place, target) {
            self.item(&home, path);
        } else {
            let line = format!("{path} = use {}", target.join("::"));
            self.lines.insert(line);
        }
    }

    fn item(&mut self, home: &Home, path: &str) {
        for item in self.scope.items(&home.0) {
            let is_reached = |face: &Face<'_>| {
                *face.name == home.1 && is_public(face.visibility) && is_shown(face.attributes)
            };
            let Some(face) = face(item).filter(is_reached) else {
                continue;
            };
            let text = match item {
                Item::Mod(_) => {
                    let inner = [home.0.clone(), vec![home.1.clone()]].concat();
                    self.module(&inner, path, &marks(face.attributes));
                    continue;
                }
                Item::Struct(item) => {
                    self.belongings(home, path, &item.attrs);
                    let bounds = text::of(&item.generics.where_clause);
                    let generics = text::of(&item.generics);
                    format!("struct{generics}{} {bounds}", fields(&item.fields))
                }
                Item::Enum(item) => {
                    self.belongings(home, path, &item.attrs);
                    self.variants(item, path);
                    format!("enum{}", text::of(&item.generics))
                }
                Item::Trait(item) => {
                    self.trait_items(item, path);
                    self.foreign_impls(home, path);
                    let mut bare = item.clone();
                    (bare.items, bare.attrs) = (Vec::new(), Vec::new());
                    text::head(bare)
                }
                Item::Fn(item) => format!("pub {}", text::of(&item.sig)),
                Item::Const(item) => format!("pub const {}: {}", item.ident, text::of(&item.ty)),
                Item::Static(item) => format!("pub static {}: {}", item.ident, text::of(&item.ty)),
                Item::Type(item) => {
                    let mut bare = item.clone();
                    bare.attrs.clear();
                    text::head(bare)
                }
                _ => continue,
            };
            let line = format!("{path} = {}{text}", marks(face.attributes));
            self.lines.insert(line.trim_end().to_owned());
        }
    }

    fn variants(&mut self, item: &syn::ItemEnum, path: &str) {
        for variant in &item.variants {
            let mut bare = variant.clone();
            bare.attrs.clear();
            bare.fields.iter_mut().for_each(|field| field.attrs.clear());
            let line = format!("{path}::{} {}", text::of(bare), marks(&variant.attrs));
            self.lines.insert(line.trim_end().to_owned());
        }
    }

    fn trait_items(&mut self, item: &syn::ItemTrait, path: &str) {
        for item in &item.items {
            let (attributes, name, text, is_provided) = match item {
                TraitItem::Fn(item) => (
                    &item.attrs,
                    &item.sig.ident,
                    text::of(&item.sig),
                    item.default.is_some(),
                ),
                TraitItem::Const(item) => {
                    let text = format!("const {}: {}", item.ident, text::of(&item.ty));
                    (&item.attrs, &item.ident, text, item.default.is_some())
                }
                TraitItem::Type(item) => {
                    let mut bare = item.clone();
                    bare.attrs.clear();
                    let text = text::of(bare).trim_end_matches(';').to_owned();
                    (&item.attrs, &item.ident, text, item.default.is_some())
                }
                _ => continue,
            };
            let provided = if is_provided { ", provided" } else { "" };
            let line = format!("{path}::{name} = {}{text}{provided}", marks(attributes));
            self.lines.insert(line);
        }
    }

    /// The methods of a type and the traits that it has.
    fn belongings(&mut self, home: &Home, path: &str, attributes: &[Attribute]) {
        for derived in attributes.iter().filter(|it| it.path().is_ident("derive")) {
            let Meta::List(list) = &derived.meta else {
                continue;
            };
            for name in text::of(&list.tokens).split(", ") {
                self.lines
                    .insert(format!("{path}: {}", name.trim_end_matches(',')));
            }
        }
        for (place, block) in self.scope.impls() {
            let Type::Path(of) = &*block.self_ty else {
                continue;
            };
            if self.scope.resolve_syn(place, &of.path).as_ref() == Some(home) {
                self.block(block, path);
            }
        }
    }

    /// The types of other crates that have a trait.
    fn foreign_impls(&mut self, home: &Home, path: &str) {
        for (place, block) in self.scope.impls() {
            let resolved = |path: &syn::Path| self.scope.resolve_syn(place, path);
            let names = block.trait_.as_ref().map(|(name, _)| name);
            let is_ours = matches!(&*block.self_ty, Type::Path(of) if resolved(&of.path).is_some());
            if names.and_then(resolved).as_ref() == Some(home) && !is_ours {
                self.block(block, path);
            }
        }
    }

    fn block(&mut self, block: &syn::ItemImpl, path: &str) {
        let marks_of_block = marks(&block.attrs);
        if block.trait_.is_some() {
            let mut bare = block.clone();
            (bare.items, bare.attrs) = (Vec::new(), Vec::new());
            let head = text::head(bare);
            self.lines.insert(format!("{path}: {marks_of_block}{head}"));
            return;
        }
        for item in &block.items {
            let (visibility, attributes, name, text) = match item {
                ImplItem::Fn(item) => {
                    (&item.vis, &item.attrs, &item.sig.ident, text::of(&item.sig))
                }
                ImplItem::Const(item) => {
                    let text = format!("const {}: {}", item.ident, text::of(&item.ty));
                    (&item.vis, &item.attrs, &item.ident, text)
                }
                _ => continue,
            };
            if is_public(visibility) && is_shown(attributes) {
                let marks = marks_of_block.clone() + &marks(attributes);
                self.lines
                    .insert(format!("{path}::{name} = {marks}pub {text}"));
            }
        }
    }
}

fn fields(fields: &Fields) -> String {
    let shown = |field: &&syn::Field| is_public(&field.vis);
    let text = |field: &syn::Field| {
        let name = field
            .ident
            .as_ref()
            .map_or(String::new(), |name| format!("{name}: "));
        format!("pub {name}{}", text::of(&field.ty))
    };
    let mut texts: Vec<_> = fields.iter().filter(shown).map(text).collect();
    if texts.len() < fields.len() {
        texts.push("..".to_owned());
    }
    match fields {
        Fields::Named(_) => format!(" {{ {} }}", texts.join(", ")).replace("{  }", "{}"),
        Fields::Unnamed(_) => format!("({})", texts.join(", ")),
        Fields::Unit => ";".to_owned(),
    }
}

fn is_shown(attributes: &[Attribute]) -> bool {
    let is_hidden = |attribute: &Attribute| match &attribute.meta {
        Meta::List(list) => list.path.is_ident("doc") && list.tokens.to_string() == "hidden",
        _ => false,
    };
    !is_for_tests(attributes) && !attributes.iter().any(is_hidden)
}

/// The attributes that matter to users.
fn marks(attributes: &[Attribute]) -> String {
    let names = [
        "non_exhaustive",
        "must_use",
        "cfg",
        "deprecated",
        "proc_macro_derive",
    ];
    let matters = |attribute: &&Attribute| names.iter().any(|name| attribute.path().is_ident(name));
    let texts = attributes
        .iter()
        .filter(matters)
        .map(|attribute| match &attribute.meta {
            // What it says is no promise.
            Meta::NameValue(meta) => format!("#[{}] ", text::of(&meta.path)),
            _ => format!("{} ", text::of(attribute)),
        });
    texts.collect()
}
