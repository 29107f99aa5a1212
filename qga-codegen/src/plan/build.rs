//! Puts the plan together.

use std::collections::HashMap;

use toml::Spanned;

use super::entries;
use super::fields::overriding;
use super::reach::Reach;
use super::unique::Unique;
use super::{Command, Home, Module, Plan, RustType, Table};
use crate::config::{self, Config, Entries, Part, Platform};
use crate::names::camel;
use crate::place::{Problem, Problems};
use crate::schema::{self, Condition, Data, Member, Schema};

pub(super) fn plan(schema: &Schema, config: &Config) -> Result<Plan, Problems> {
    Problems::or(entries::problems(schema, config), ())?;
    let mut build = Build::new(schema, config);
    let modules = in_order(&config.data.modules);
    let modules = modules
        .map(|(name, doc)| build.module(name.get_ref(), doc))
        .collect();
    let table = config.data.paths.table.as_ref().map(|path| Table {
        path: path.clone(),
        rows: schema
            .commands
            .iter()
            .filter_map(|command| build.row(command))
            .collect(),
    });
    Problems::or(build.problems, Plan { modules, table })
}

/// Entries in the order of the file.
pub(super) fn in_order<T>(entries: &Entries<T>) -> impl Iterator<Item = (&Spanned<String>, &T)> {
    let mut sorted: Vec<_> = entries.iter().collect();
    sorted.sort_by_key(|(key, _)| key.span().start);
    sorted.into_iter()
}

pub(super) struct Build<'a> {
    pub(super) schema: &'a Schema,
    pub(super) config: &'a Config,
    pub(super) platforms: Vec<&'a Platform>,
    pub(super) types: HashMap<&'a str, Home<'a>>,
    pub(super) commands: HashMap<&'a str, Home<'a>>,
    pub(super) reach: Reach<'a>,
    pub(super) problems: Vec<Problem>,
}

impl<'a> Build<'a> {
    fn new(schema: &'a Schema, config: &'a Config) -> Self {
        let mut unique = Unique::items(config);
        let data = &config.data;
        let mut types = HashMap::new();
        for ty in &schema.types {
            if let Some(entry) = data.types.get(ty.name.text.as_str()) {
                let name = entry.name.clone().unwrap_or_else(|| camel(&ty.name.text));
                if has_kind(schema, ty) {
                    unique.take(&format!("{name}Kind"), &ty.name);
                }
                let home = unique.home(&entry.module, name, &ty.name);
                types.insert(ty.name.text.as_str(), home);
            }
        }
        let mut commands = HashMap::new();
        for command in &schema.commands {
            if let Some(entry) = data.commands.get(command.name.text.as_str()) {
                let wire = command.name.text.as_str();
                let own = wire.strip_prefix(&data.schema.prefix).unwrap_or(wire);
                let name = entry.name.clone().unwrap_or_else(|| camel(own));
                commands.insert(wire, unique.home(&entry.module, name, &command.name));
            }
        }
        Self {
            schema,
            config,
            platforms: in_order(&data.platforms)
                .map(|(_, platform)| platform)
                .collect(),
            types,
            commands,
            reach: Reach::new(schema),
            problems: unique.problems,
        }
    }

    fn module(&mut self, name: &str, doc: &str) -> Module {
        let schema = self.schema;
        let commands = schema.commands.iter();
        let commands = commands
            .filter_map(|command| self.command(command, name))
            .collect();
        let types = schema
            .types
            .iter()
            .filter_map(|ty| self.ty(ty, name))
            .collect();
        Module {
            name: name.to_owned(),
            doc: doc.to_owned(),
            commands,
            types,
        }
    }

    fn command(&mut self, command: &'a schema::Command, module: &str) -> Option<Command> {
        let wire = command.name.text.as_str();
        let home = self
            .commands
            .get(wire)
            .filter(|home| home.module == module)?
            .clone();
        let entry = self.config.data.commands.get(wire)?;
        let since = self.since(&entry.since);
        let about = format!(
            "`{wire}`, since {since}{}.",
            self.on(command.condition.as_ref())
        );
        if let Data::Named(name) = &command.data
            && let Some(ty) = self.schema.type_named(&name.text)
            && matches!(ty.kind, schema::Kind::Union { .. })
        {
            self.problems
                .push(name.problem("arguments that are a union cannot be written in Rust"));
        }
        let parts = self.argument_parts(&command.data, &entry.members);
        Some(Command {
            wire: wire.to_owned(),
            name: home.name,
            doc: format!("{}\n\n{about}", entry.doc),
            response: self.response(command, entry, module),
            success_response: command.success_response,
            retry: entry.retry,
            check: entry.check.clone(),
            reply_limit: entry.reply_limit.clone(),
            secret_reply: entry.secret_reply || parts.iter().any(|(_, part)| part.secret),
            fields: self.fields(&parts, module, true),
        })
    }

    fn response(
        &self,
        command: &schema::Command,
        entry: &config::Command,
        module: &str,
    ) -> Option<RustType> {
        let returns = command.returns.as_ref()?;
        Some(match &entry.returns {
            Some(path) => overriding(path, returns),
            None => self.type_ref(returns, module),
        })
    }

    /// A command's arguments, each with its entry.
    fn argument_parts(
        &self,
        data: &'a Data,
        own: &'a Entries<Part>,
    ) -> Vec<(&'a Member, &'a Part)> {
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
    pub(super) fn member_parts(&self, ty: &'a schema::Type) -> Vec<(&'a Member, &'a Part)> {
        let members = self.schema.members_of(ty).into_iter();
        members
            .filter_map(|(owner, member)| {
                let entry = self.config.data.types.get(owner.name.text.as_str())?;
                Some((member, entry.members.get(member.name.text.as_str())?))
            })
            .collect()
    }

    pub(super) fn platforms_of(
        &self,
        condition: Option<&Condition>,
    ) -> impl Iterator<Item = &'a Platform> {
        let holds = move |platform: &&Platform| {
            let has = |option: &str| platform.options.iter().any(|own| own == option);
            condition.is_none_or(|condition| condition.holds(&has))
        };
        self.platforms.iter().copied().filter(holds)
    }
}

/// Whether a union has members beside the discriminator, so that its branch is a type of its own.
fn has_kind(schema: &Schema, ty: &schema::Type) -> bool {
    matches!(ty.kind, schema::Kind::Union { .. }) && schema.members_of(ty).len() > 1
}
