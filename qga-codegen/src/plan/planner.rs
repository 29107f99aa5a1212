//! What all parts of the plan are made from: the schema, the data file, and the names in Rust.

use std::collections::HashMap;

use super::taken_names::TakenNames;
use super::type_graph::TypeGraph;
use crate::config::{Config, Entries, PartEntry, PlatformEntry, in_order};
use crate::names::camel;
use crate::problem::{Name, Problem};
use crate::schema::{Condition, Data, Kind, Member, Schema, Type};

pub(super) struct Planner<'a> {
    pub(super) schema: &'a Schema,
    pub(super) config: &'a Config,
    pub(super) platforms: Vec<&'a PlatformEntry>,
    pub(super) types: HashMap<&'a str, ItemPath<'a>>,
    pub(super) commands: HashMap<&'a str, ItemPath<'a>>,
    pub(super) events: HashMap<&'a str, ItemPath<'a>>,
    pub(super) graph: TypeGraph<'a>,
    pub(super) problems: Vec<Problem>,
}

/// Where a definition of the schema is in Rust.
#[derive(Clone, Debug)]
pub(super) struct ItemPath<'a> {
    pub(super) module: &'a str,
    pub(super) name: String,
}

impl<'a> Planner<'a> {
    pub(super) fn new(schema: &'a Schema, config: &'a Config) -> Self {
        let platforms = in_order(&config.data.platforms);
        let mut planner = Self {
            schema,
            config,
            platforms: platforms.map(|(_, platform)| platform).collect(),
            types: HashMap::new(),
            commands: HashMap::new(),
            events: HashMap::new(),
            graph: TypeGraph::new(schema),
            problems: Vec::new(),
        };
        planner.name_items();
        planner
    }

    /// Names types and commands. Modules import from each other, so a name is taken in all of them.
    fn name_items(&mut self) {
        let mut taken = TakenNames::items(self.config);
        let data = &self.config.data;
        for ty in &self.schema.types {
            let wire = ty.name.text.as_str();
            if let Some(entry) = data.types.get(wire) {
                let name = entry.name.clone().unwrap_or_else(|| camel(wire));
                if has_kind(self.schema, ty) {
                    taken.take(&format!("{name}Kind"), &ty.name);
                }
                let path = item_path(&entry.module, name, &ty.name, &mut taken);
                self.types.insert(wire, path);
            }
        }
        for command in &self.schema.commands {
            let wire = command.name.text.as_str();
            if let Some(entry) = data.commands.get(wire) {
                let own = wire.strip_prefix(&data.schema.prefix).unwrap_or(wire);
                let name = entry.name.clone().unwrap_or_else(|| camel(own));
                let path = item_path(&entry.module, name, &command.name, &mut taken);
                self.commands.insert(wire, path);
            }
        }
        let mut variants = TakenNames::variants();
        for event in &self.schema.events {
            let wire = event.name.text.as_str();
            if let Some(entry) = data.events.get(wire) {
                let name = entry.name.clone().unwrap_or_else(|| camel(wire));
                variants.take(&name, &event.name);
                // Only what has members is a type.
                if matches!(event.data, Data::Inline(_)) {
                    taken.take(&name, &event.name);
                }
                let module = entry.module.as_str();
                self.events.insert(wire, ItemPath { module, name });
            }
        }
        self.problems.append(&mut variants.problems);
        self.problems.append(&mut taken.problems);
    }

    /// Whether a member has a float somewhere in it.
    pub(super) fn has_float(&self, member: &Member) -> bool {
        let name = member.ty.name.text.as_str();
        let ty = self.schema.type_named(name);
        name == "number" || ty.is_some_and(|ty| self.graph.has_float(ty))
    }

    /// A command's arguments, each with its entry.
    pub(super) fn argument_parts(
        &self,
        data: &'a Data,
        own: &'a Entries<PartEntry>,
    ) -> Vec<(&'a Member, &'a PartEntry)> {
        match data {
            Data::None => Vec::new(),
            Data::Inline(members) => {
                let with_part =
                    |member: &'a Member| Some((member, own.get(member.name.text.as_str())?));
                members.iter().filter_map(with_part).collect()
            }
            Data::Named(name) => {
                let ty = self.schema.type_named(&name.text);
                ty.map(|ty| self.member_parts(ty)).unwrap_or_default()
            }
        }
    }

    /// A struct's members, each with its entry at the type that declares it.
    pub(super) fn member_parts(&self, ty: &'a Type) -> Vec<(&'a Member, &'a PartEntry)> {
        let members = self.schema.members_of(ty).into_iter();
        members
            .filter_map(|(owner, member)| {
                let entry = self.config.data.types.get(owner.name.text.as_str())?;
                Some((member, entry.members.get(member.name.text.as_str())?))
            })
            .collect()
    }

    /// The systems where something exists.
    pub(super) fn platforms_of(
        &self,
        condition: Option<&Condition>,
    ) -> impl Iterator<Item = &'a PlatformEntry> {
        let holds = move |platform: &&PlatformEntry| {
            let has = |option: &str| platform.options.iter().any(|own| own == option);
            condition.is_none_or(|condition| condition.holds(&has))
        };
        self.platforms.iter().copied().filter(holds)
    }
}

fn item_path<'a>(
    module: &'a str,
    name: String,
    defined: &Name,
    taken: &mut TakenNames,
) -> ItemPath<'a> {
    taken.take(&name, defined);
    ItemPath { module, name }
}

/// Whether a union has members beside the discriminator, so that its branch is a type of its own.
fn has_kind(schema: &Schema, ty: &Type) -> bool {
    matches!(ty.kind, Kind::Union { .. }) && schema.members_of(ty).len() > 1
}
