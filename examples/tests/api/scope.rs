//! What a name in a module stands for.

use std::collections::BTreeMap;

use syn::{Item, ItemUse, Visibility};

use crate::modules::{Modules, Place, is_for_tests};
use crate::paths::flatten;

/// The modules of a crate, those that are written inside of others too.
pub(crate) struct Scope<'a>(BTreeMap<Place, Vec<&'a Item>>);

/// An item where it is defined.
pub(crate) type Home = (Place, String);

impl<'a> Scope<'a> {
    pub(crate) fn new(modules: &'a Modules) -> Self {
        let mut scope = Self(BTreeMap::new());
        for (place, file) in modules.files() {
            scope.add(place.clone(), &file.items);
        }
        scope
    }

    fn add(&mut self, place: Place, items: &'a [Item]) {
        for item in items {
            if let Item::Mod(module) = item
                && let Some((_, inner)) = &module.content
                && !is_for_tests(&module.attrs)
            {
                self.add(
                    [place.clone(), vec![module.ident.to_string()]].concat(),
                    inner,
                );
            }
        }
        self.0.insert(place, items.iter().collect());
    }

    /// Each `impl`, and the module in which it stands.
    pub(crate) fn impls(&self) -> impl Iterator<Item = (&Place, &'a syn::ItemImpl)> {
        let of_module = |(place, items): (_, &Vec<&'a Item>)| {
            let blocks = items.clone().into_iter().filter_map(|item| match item {
                Item::Impl(block) if !is_for_tests(&block.attrs) => Some(block),
                _ => None,
            });
            blocks.map(move |block| (place, block))
        };
        self.0.iter().flat_map(of_module)
    }

    pub(crate) fn items(&self, place: &[String]) -> &[&'a Item] {
        self.0.get(place).map_or(&[], Vec::as_slice)
    }

    /// The item that a path in a module leads to, unless that is in another crate.
    pub(crate) fn resolve(&self, place: &[String], path: &[String]) -> Option<Home> {
        self.resolve_within(place, path, 0)
    }

    pub(crate) fn resolve_syn(&self, place: &[String], path: &syn::Path) -> Option<Home> {
        let parts = path.segments.iter().map(|part| part.ident.to_string());
        self.resolve(place, &parts.collect::<Vec<_>>())
    }

    fn resolve_within(&self, place: &[String], path: &[String], depth: usize) -> Option<Home> {
        let (first, rest) = path.split_first().filter(|_| depth < 12)?;
        let home = match first.as_str() {
            "crate" => (Place::new(), None),
            "self" => (place.to_vec(), None),
            "super" => (place[..place.len().checked_sub(1)?].to_vec(), None),
            name => {
                let (module, name) = self.find(place, name, depth)?;
                let inner = [module.clone(), vec![name.clone()]].concat();
                if self.0.contains_key(&inner) {
                    (inner, None)
                } else {
                    (module, Some(name))
                }
            }
        };
        match (home, rest) {
            ((module, Some(name)), []) => Some((module, name)),
            ((mut module, None), []) => module.pop().map(|name| (module, name)),
            ((module, None), rest) => self.resolve_within(&module, rest, depth + 1),
            ((_, Some(_)), _) => None,
        }
    }

    fn find(&self, place: &[String], name: &str, depth: usize) -> Option<Home> {
        let items = self.items(place);
        if items
            .iter()
            .any(|item| face(item).is_some_and(|it| it.name == name))
        {
            return Some((place.to_vec(), name.to_owned()));
        }
        let uses = items.iter().filter_map(|item| match item {
            Item::Use(item) if !is_for_tests(&item.attrs) => Some(item),
            _ => None,
        });
        uses.flat_map(leaves).find_map(|(path, as_name)| {
            let path = match as_name.as_str() {
                "*" => [path, vec![name.to_owned()]].concat(),
                as_name if as_name == name && path != [name] => path,
                _ => return None,
            };
            self.resolve_within(place, &path, depth + 1)
        })
    }
}

/// Each path that is imported, with the name that it gets.
pub(crate) fn leaves(item: &ItemUse) -> Vec<(Place, String)> {
    let mut leaves = Vec::new();
    flatten(&item.tree, &mut Vec::new(), &mut leaves);
    leaves
}

/// What users may see of an item.
pub(crate) struct Face<'a> {
    pub(crate) name: &'a syn::Ident,
    pub(crate) visibility: &'a Visibility,
    pub(crate) attributes: &'a [syn::Attribute],
}

pub(crate) fn face(item: &Item) -> Option<Face<'_>> {
    let (name, visibility, attributes) = match item {
        Item::Struct(item) => (&item.ident, &item.vis, &item.attrs),
        Item::Enum(item) => (&item.ident, &item.vis, &item.attrs),
        Item::Trait(item) => (&item.ident, &item.vis, &item.attrs),
        Item::Type(item) => (&item.ident, &item.vis, &item.attrs),
        Item::Const(item) => (&item.ident, &item.vis, &item.attrs),
        Item::Static(item) => (&item.ident, &item.vis, &item.attrs),
        Item::Mod(item) => (&item.ident, &item.vis, &item.attrs),
        Item::Fn(item) => (&item.sig.ident, &item.vis, &item.attrs),
        _ => return None,
    };
    Some(Face {
        name,
        visibility,
        attributes,
    })
}

pub(crate) fn is_public(visibility: &Visibility) -> bool {
    matches!(visibility, Visibility::Public(_))
}
