//! Whether schema and data file speak of the same things.

mod values;

use std::collections::HashMap;

use toml::Spanned;

use super::build::in_order;
use crate::config::{Config, Entries, Part};
use crate::names::is_identifier;
use crate::place::{Missing, Name, Problem};
use crate::schema::{Command, Data, Kind, Schema};
use crate::skeleton;

/// What is missing in the data file, what is stale, and what makes no sense there.
pub(super) fn problems(schema: &Schema, config: &Config) -> Vec<Problem> {
    let mut check = Check {
        config,
        problems: Vec::new(),
    };
    check.oldest();
    check.commands(schema);
    check.types(schema);
    check.modules();
    check.problems
}

struct Check<'a> {
    config: &'a Config,
    problems: Vec<Problem>,
}

/// What the entry of something needs, whatever it is.
struct Entry<'a> {
    key: &'a Spanned<String>,
    doc: &'a str,
    since: Option<&'a str>,
}

impl<'a> Check<'a> {
    fn commands(&mut self, schema: &'a Schema) {
        let entries = &self.config.data.commands;
        let module = self.some_module();
        let commands = schema.commands.iter().map(|command| {
            let entry = || Missing {
                table: None,
                lines: skeleton::command(command, module),
            };
            (&command.name, entry)
        });
        self.pair(commands, entries, "command");
        for command in &schema.commands {
            if let Some((key, entry)) = entries.get_key_value(command.name.text.as_str()) {
                let (doc, since) = (entry.doc.as_str(), Some(entry.since.as_str()));
                self.entry(&Entry { key, doc, since });
                self.module(key, &entry.module);
                self.returns(key, command, entry);
                let table = format!("commands.{}", skeleton::key(&command.name));
                let parts = command_parts(command).into_iter().map(|name| {
                    let line = || Missing {
                        table: Some(table.clone()),
                        lines: skeleton::field(name, false),
                    };
                    (name, line)
                });
                self.parts(key, parts, &entry.members, true);
            }
        }
    }

    fn types(&mut self, schema: &'a Schema) {
        let entries = &self.config.data.types;
        let module = self.some_module();
        let types = schema.types.iter().map(|ty| {
            let entry = || Missing {
                table: None,
                lines: skeleton::ty(ty, module),
            };
            (&ty.name, entry)
        });
        self.pair(types, entries, "type");
        for ty in &schema.types {
            if let Some((key, entry)) = entries.get_key_value(ty.name.text.as_str()) {
                let (doc, since) = (entry.doc.as_str(), Some(entry.since.as_str()));
                self.entry(&Entry { key, doc, since });
                self.module(key, &entry.module);
                let is_object = matches!(ty.kind, Kind::Struct { .. } | Kind::Union { .. });
                let table = format!("types.{}", skeleton::key(&ty.name));
                let parts = skeleton::parts(ty).into_iter().map(|name| {
                    let line = || Missing {
                        table: Some(table.clone()),
                        lines: skeleton::part(ty, name),
                    };
                    (name, line)
                });
                self.parts(key, parts, &entry.members, is_object);
            }
        }
    }

    fn modules(&mut self) {
        let data = &self.config.data;
        for (key, doc) in &data.modules {
            let since = None;
            self.entry(&Entry { key, doc, since });
            let name = key.get_ref().as_str();
            if !is_identifier(name) || name == "schema" {
                self.report(key, format!("`{name}` cannot be a module"));
            }
            let commands = data.commands.values().map(|command| &command.module);
            let types = data.types.values().map(|ty| &ty.module);
            if !commands.chain(types).any(|module| module == key.get_ref()) {
                self.report(
                    key,
                    format!("nothing is in the module `{}`; take it out", key.get_ref()),
                );
            }
        }
    }

    /// Reports names without an entry, which each can make, and entries without a name.
    fn pair<T>(
        &mut self,
        names: impl Iterator<Item = (&'a Name, impl Fn() -> Missing)>,
        entries: &'a Entries<T>,
        what: &str,
    ) {
        let names: HashMap<_, _> = names
            .map(|(name, entry)| (name.text.as_str(), (name, entry)))
            .collect();
        let mut missing: Vec<_> = names
            .values()
            .filter(|(name, _)| !entries.contains_key(name.text.as_str()))
            .collect();
        missing.sort_by_key(|(name, _)| (name.place.line, name.place.column));
        for (name, entry) in missing {
            let file = &self.config.file;
            let problem = name.problem(format!("the {what} `{name}` has no entry in {file}"));
            self.problems.push(problem.with_missing(entry()));
        }
        for (key, _) in in_order(entries) {
            if !names.contains_key(key.get_ref().as_str()) {
                self.report(
                    key,
                    format!("there is no {what} `{}` in the schema", key.get_ref()),
                );
            }
        }
    }

    fn parts(
        &mut self,
        owner: &Spanned<String>,
        names: impl Iterator<Item = (&'a Name, impl Fn() -> Missing)>,
        entries: &'a Entries<Part>,
        is_object: bool,
    ) {
        self.pair(names, entries, &format!("part of `{}`,", owner.get_ref()));
        for (key, part) in entries {
            let (doc, since) = (part.doc.as_str(), part.since.as_deref());
            self.entry(&Entry { key, doc, since });
            self.path(key, part.ty.as_deref());
            if !is_object && (part.base64 || part.secret || part.ty.is_some()) {
                self.report(key, "only a member of an object has a type of its own");
            }
            if !is_object && part.hidden {
                self.report(key, "only a member of an object can be hidden");
            }
        }
    }

    fn entry(&mut self, entry: &Entry<'_>) {
        let doc = entry.doc.trim();
        if !doc.ends_with('.') || !doc.starts_with(|first: char| !first.is_ascii_lowercase()) {
            self.report(
                entry.key,
                format!(
                    "the `doc` of `{}` is no sentence, with a capital letter first and a full stop last",
                    entry.key.get_ref()
                ),
            );
        }
        if entry.since.is_some_and(|since| version(since).is_none()) {
            let key = entry.key.get_ref();
            self.report(
                entry.key,
                format!("the `since` of `{key}` is no version, such as 9.1"),
            );
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

fn command_parts(command: &Command) -> Vec<&Name> {
    match &command.data {
        Data::Inline(members) => members.iter().map(|member| &member.name).collect(),
        Data::None | Data::Named(_) => Vec::new(),
    }
}

/// `9.1` as numbers, which compare.
pub(super) fn version(text: &str) -> Option<Vec<u32>> {
    text.split('.').map(|number| number.parse().ok()).collect()
}
