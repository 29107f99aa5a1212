//! The table of commands.

use super::planner::Planner;
use super::type_graph;
use super::{Argument, Row, Table};
use crate::names::camel;
use crate::schema::{Command, Member, TypeRef};

impl Planner<'_> {
    /// The table, if the data file asks for one.
    pub(super) fn table(&self) -> Option<Table> {
        let path = self.config.data.paths.table.clone()?;
        let commands = self.schema.commands.iter();
        let rows = commands.filter_map(|command| self.row(command)).collect();
        Some(Table { path, rows })
    }

    fn row(&self, command: &Command) -> Option<Row> {
        let wire = command.name.text.as_str();
        let path = self.commands.get(wire)?;
        let entry = self.config.data.commands.get(wire)?;
        let platforms = self.platforms_of(command.condition.as_ref());
        let arguments = type_graph::arguments(self.schema, &command.data).into_iter();
        Some(Row {
            wire: wire.to_owned(),
            module: path.module.to_owned(),
            name: path.name.clone(),
            summary: summary(&entry.doc),
            since: entry.since.clone(),
            platforms: platforms.map(|platform| camel(&platform.name)).collect(),
            arguments: arguments.map(argument).collect(),
            returns: command.returns.as_ref().map(written),
            success_response: command.success_response,
            retry: entry.retry,
            check: entry.check.clone(),
            while_frozen: entry.while_frozen,
        })
    }
}

fn argument(member: &Member) -> Argument {
    Argument {
        wire: member.name.text.clone(),
        ty: written(&member.ty),
        optional: member.optional,
    }
}

/// A type as the schema writes it, a list in brackets.
fn written(ty: &TypeRef) -> String {
    let name = &ty.name.text;
    if ty.list {
        format!("[{name}]")
    } else {
        name.clone()
    }
}

/// The first sentence, without its full stop.
fn summary(doc: &str) -> String {
    let paragraph = doc.trim().split("\n\n").next().unwrap_or_default();
    let sentence = paragraph.split(". ").next().unwrap_or_default();
    sentence.trim_end_matches('.').to_owned()
}
