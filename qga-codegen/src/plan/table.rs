//! The rows of the table of commands.

use super::Row;
use super::build::Build;
use super::reach;
use crate::names::camel;
use crate::schema;

impl Build<'_> {
    pub(super) fn row(&self, command: &schema::Command) -> Option<Row> {
        let wire = command.name.text.as_str();
        let home = self.commands.get(wire)?;
        let entry = self.config.data.commands.get(wire)?;
        let arguments = reach::arguments(self.schema, &command.data).into_iter();
        Some(Row {
            wire: wire.to_owned(),
            module: home.module.to_owned(),
            name: home.name.clone(),
            doc: summary(&entry.doc),
            since: entry.since.clone(),
            platforms: self
                .platforms_of(command.condition.as_ref())
                .map(|platform| camel(&platform.name))
                .collect(),
            arguments: arguments
                .map(|member| {
                    (
                        member.name.text.clone(),
                        written(&member.ty),
                        member.optional,
                    )
                })
                .collect(),
            returns: command.returns.as_ref().map(written),
            success_response: command.success_response,
            retry: entry.retry,
            check: entry.check.clone(),
            while_frozen: entry.while_frozen,
        })
    }
}

/// A type as the schema writes it, a list in brackets.
fn written(ty: &schema::TypeRef) -> String {
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
