//! Commands, with their arguments and their reply.

use super::CommandPlan;
use super::RustType;
use super::fields::Direction;
use super::planner::Planner;
use super::type_refs::named_in_config;
use crate::config::CommandEntry;
use crate::schema::{Command, Data, Kind};

impl<'a> Planner<'a> {
    /// The command, if it is in this module.
    pub(super) fn command(&mut self, command: &'a Command, module: &str) -> Option<CommandPlan> {
        let wire = command.name.text.as_str();
        let path = self
            .commands
            .get(wire)
            .filter(|path| path.module == module)?
            .clone();
        let entry = self.config.data.commands.get(wire)?;
        let (since, on) = (
            self.since(&entry.since),
            self.on(command.condition.as_ref()),
        );
        self.refuse_union(&command.data);
        let parts = self.argument_parts(&command.data, &entry.members);
        Some(CommandPlan {
            wire: wire.to_owned(),
            name: path.name,
            doc: format!("{}\n\n`{wire}`, since {since}{on}.", entry.doc),
            response: self.response(command, entry, module),
            success_response: command.success_response,
            retry: entry.retry,
            check: entry.check.clone(),
            reply_limit: entry.reply_limit.clone(),
            secret_reply: entry.secret_reply || parts.iter().any(|(_, part)| part.secret),
            protocol: self.config.data.schema.protocol.clone(),
            out_of_band: (self.config.data.paths.out_of_band.clone()).filter(|_| command.allow_oob),
            fields: self.fields(&parts, module, Direction::Sent),
        })
    }

    /// A union has no list of fields that could be those of a command.
    fn refuse_union(&mut self, data: &Data) {
        if let Data::Named(name) = data
            && let Some(ty) = self.schema.type_named(&name.text)
            && matches!(ty.kind, Kind::Union { .. })
        {
            let message = "arguments that are a union cannot be written in Rust";
            self.problems.push(name.problem(message));
        }
    }

    fn response(&self, command: &Command, entry: &CommandEntry, module: &str) -> Option<RustType> {
        let returns = command.returns.as_ref()?;
        Some(match &entry.returns {
            Some(path) => named_in_config(path, returns),
            None => self.type_ref(returns, module),
        })
    }
}
