//! Whether schema and data file speak of the same things.

mod values;

use std::collections::HashMap;

use toml::Spanned;

use super::version;
use crate::config::{Config, Entries, PartEntry, in_order};
use crate::names::is_identifier;
use crate::problem::{MissingEntry, Name, Problem};
use crate::schema::{Data, Kind, Schema, Type};
use crate::skeleton;

/// What is missing in the data file, what is stale, and what makes no sense there.
pub(super) fn problems(schema: &Schema, config: &Config) -> Vec<Problem> {
    let mut check = ConfigCheck {
        config,
        problems: Vec::new(),
    };
    check.oldest();
    check.commands(schema);
    check.types(schema);
    check.events(schema);
    check.modules();
    check.problems
}

struct ConfigCheck<'a> {
    config: &'a Config,
    problems: Vec<Problem>,
}

/// What the data file has entries for.
struct Subject<'a> {
    /// A word for each of them.
    what: &'static str,
    /// The command or type that they are parts of.
    owner: Option<&'a Name>,
}

impl<'a> ConfigCheck<'a> {
    fn commands(&mut self, schema: &'a Schema) {
        let entries = &self.config.data.commands;
        let module = self.some_module();
        let commands = schema.commands.iter().map(|command| {
            let entry = || MissingEntry {
                table: None,
                lines: skeleton::command(command, module),
            };
            (&command.name, entry)
        });
        self.pair(commands, entries, &Subject::new("command"));
        for command in &schema.commands {
            if let Some((key, entry)) = entries.get_key_value(command.name.text.as_str()) {
                self.doc(key, &entry.doc);
                self.since(key, &entry.since);
                self.module(key, &entry.module);
                self.returns(key, command, entry);
                let parts = members(&command.data).into_iter().map(|name| {
                    let line = || MissingEntry {
                        table: Some(format!("commands.{}", skeleton::key(&command.name))),
                        lines: skeleton::field(name, false),
                    };
                    (name, line)
                });
                let subject = Subject::part("argument", &command.name);
                self.parts(parts, &entry.members, &subject, true);
            }
        }
    }

    fn types(&mut self, schema: &'a Schema) {
        let entries = &self.config.data.types;
        let module = self.some_module();
        let types = schema.types.iter().map(|ty| {
            let entry = || MissingEntry {
                table: None,
                lines: skeleton::ty(ty, module),
            };
            (&ty.name, entry)
        });
        self.pair(types, entries, &Subject::new("type"));
        for ty in &schema.types {
            if let Some((key, entry)) = entries.get_key_value(ty.name.text.as_str()) {
                self.doc(key, &entry.doc);
                self.since(key, &entry.since);
                self.module(key, &entry.module);
                let parts = skeleton::parts(ty).into_iter().map(|name| {
                    let line = || MissingEntry {
                        table: Some(format!("types.{}", skeleton::key(&ty.name))),
                        lines: skeleton::part(ty, name),
                    };
                    (name, line)
                });
                let is_object = matches!(ty.kind, Kind::Struct { .. } | Kind::Union { .. });
                let subject = Subject::part(word_for_parts(ty), &ty.name);
                self.parts(parts, &entry.members, &subject, is_object);
            }
        }
    }

    fn events(&mut self, schema: &'a Schema) {
        self.roots();
        // Who does not name a type for them wants none.
        if self.config.data.paths.raw_event.is_none() {
            for (key, _) in in_order(&self.config.data.events) {
                self.report(key, "events need the type `raw_event` in [paths]");
            }
            return;
        }
        let entries = &self.config.data.events;
        let module = self.some_module();
        let events = schema.events.iter().map(|event| {
            let entry = || MissingEntry {
                table: None,
                lines: skeleton::event(event, module),
            };
            (&event.name, entry)
        });
        self.pair(events, entries, &Subject::new("event"));
        for event in &schema.events {
            if let Some((key, entry)) = entries.get_key_value(event.name.text.as_str()) {
                self.doc(key, &entry.doc);
                self.since(key, &entry.since);
                self.module(key, &entry.module);
                let parts = members(&event.data).into_iter().map(|name| {
                    let line = || MissingEntry {
                        table: Some(format!("events.{}", skeleton::key(&event.name))),
                        lines: skeleton::field(name, false),
                    };
                    (name, line)
                });
                let subject = Subject::part("member", &event.name);
                self.parts(parts, &entry.members, &subject, true);
            }
        }
    }

    fn modules(&mut self) {
        let data = &self.config.data;
        for (key, doc) in &data.modules {
            self.doc(key, doc);
            let name = key.get_ref().as_str();
            if !is_identifier(name) || ["schema", "event"].contains(&name) {
                self.report(key, format!("`{name}` cannot be a module"));
            }
            let commands = data.commands.values().map(|command| &command.module);
            let types = data.types.values().map(|ty| &ty.module);
            let events = data.events.values().map(|event| &event.module);
            if !commands
                .chain(types)
                .chain(events)
                .any(|module| module == name)
            {
                let message = format!("nothing is in the module `{name}`; take it out");
                self.report(key, message);
            }
        }
    }

    /// Reports names without an entry, which each can make, and entries without a name.
    fn pair<T>(
        &mut self,
        names: impl Iterator<Item = (&'a Name, impl Fn() -> MissingEntry)>,
        entries: &'a Entries<T>,
        subject: &Subject<'_>,
    ) {
        let names: HashMap<_, _> = names
            .map(|(name, entry)| (name.text.as_str(), (name, entry)))
            .collect();
        let mut missing: Vec<_> = names
            .values()
            .filter(|(name, _)| !entries.contains_key(name.text.as_str()))
            .collect();
        missing.sort_by_key(|(name, _)| (name.location.line, name.location.column));
        for (name, entry) in missing {
            let (file, part) = (&self.config.file, subject.named(&name.text));
            let problem = name.problem(format!("the {part} has no entry in {file}"));
            self.problems.push(problem.with_missing(entry()));
        }
        for (key, _) in in_order(entries) {
            let name = key.get_ref().as_str();
            if !names.contains_key(name) {
                let part = subject.named(name);
                self.report(key, format!("there is no {part} in the schema"));
            }
        }
    }

    fn parts(
        &mut self,
        names: impl Iterator<Item = (&'a Name, impl Fn() -> MissingEntry)>,
        entries: &'a Entries<PartEntry>,
        subject: &Subject<'_>,
        is_object: bool,
    ) {
        self.pair(names, entries, subject);
        for (key, part) in entries {
            self.doc(key, &part.doc);
            if let Some(since) = &part.since {
                self.since(key, since);
            }
            self.path(key, part.ty.as_deref());
            if !is_object && (part.base64 || part.secret || part.ty.is_some()) {
                self.report(key, "only a member of an object has a type of its own");
            }
            if !is_object && part.hidden {
                self.report(key, "only a member of an object can be hidden");
            }
        }
    }

    /// A module that is there.
    fn some_module(&self) -> &'a str {
        let first = in_order(&self.config.data.modules).next();
        first.map_or("TODO", |(name, _)| name.get_ref())
    }

    fn module(&mut self, key: &Spanned<String>, module: &str) {
        if !self.config.data.modules.contains_key(module) {
            self.report(key, format!("there is no module `{module}` in [modules]"));
        }
    }

    fn report(&mut self, key: &Spanned<String>, message: impl Into<String>) {
        self.problems.push(self.config.problem(key, message));
    }
}

impl<'a> Subject<'a> {
    fn new(what: &'static str) -> Self {
        Self { what, owner: None }
    }

    fn part(what: &'static str, owner: &'a Name) -> Self {
        let owner = Some(owner);
        Self { what, owner }
    }

    /// One of them in words.
    fn named(&self, name: &str) -> String {
        let what = self.what;
        match self.owner {
            Some(owner) => format!("{what} `{name}` of `{owner}`"),
            None => format!("{what} `{name}`"),
        }
    }
}

fn members(data: &Data) -> Vec<&Name> {
    match data {
        Data::Inline(members) => members.iter().map(|member| &member.name).collect(),
        Data::None | Data::Named(_) => Vec::new(),
    }
}

fn word_for_parts(ty: &Type) -> &'static str {
    match ty.kind {
        Kind::Struct { .. } => "member",
        Kind::Enum { .. } => "value",
        Kind::Alternate { .. } => "branch",
        Kind::Union { .. } => "member or branch",
    }
}
