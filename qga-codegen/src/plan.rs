//! A schema and its data file joined: what is to be written, under which names.

mod commands;
mod config_check;
mod documentation;
mod events;
mod fields;
mod planner;
mod rust_type;
mod table;
mod taken_names;
mod type_graph;
mod type_refs;
mod types;
mod version;

use crate::config::{Config, RetryClass, in_order};
use crate::problem::Problems;
use crate::schema::Schema;
use planner::Planner;

pub(crate) use rust_type::{Parameter, RustType};

/// All that is to be written.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) modules: Vec<Module>,
    pub(crate) table: Option<Table>,
    pub(crate) events: Option<Events>,
}

/// The events, and the type for one that is not known.
#[derive(Debug)]
pub(crate) struct Events {
    pub(crate) raw: RustType,
    pub(crate) list: Vec<EventPlan>,
}

#[derive(Debug)]
pub(crate) struct EventPlan {
    pub(crate) wire: String,
    pub(crate) name: String,
    pub(crate) doc: String,
    pub(crate) carried: Option<RustType>,
}

#[derive(Debug)]
pub(crate) struct Module {
    pub(crate) name: String,
    pub(crate) doc: String,
    pub(crate) commands: Vec<CommandPlan>,
    pub(crate) types: Vec<TypePlan>,
}

/// The table of commands.
#[derive(Debug)]
pub(crate) struct Table {
    /// The module with the types of its rows.
    pub(crate) path: String,
    pub(crate) rows: Vec<Row>,
}

#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) wire: String,
    pub(crate) module: String,
    pub(crate) name: String,
    pub(crate) summary: String,
    pub(crate) since: String,
    pub(crate) platforms: Vec<String>,
    pub(crate) arguments: Vec<Argument>,
    pub(crate) returns: Option<String>,
    pub(crate) success_response: bool,
    pub(crate) retry: RetryClass,
    pub(crate) check: Option<String>,
    pub(crate) while_frozen: bool,
}

/// An argument in the table of commands; its type is in the schema's words.
#[derive(Debug)]
pub(crate) struct Argument {
    pub(crate) wire: String,
    pub(crate) ty: String,
    pub(crate) optional: bool,
}

#[derive(Debug)]
pub(crate) struct CommandPlan {
    pub(crate) wire: String,
    pub(crate) name: String,
    pub(crate) doc: String,
    pub(crate) response: Option<RustType>,
    pub(crate) success_response: bool,
    pub(crate) retry: RetryClass,
    pub(crate) check: Option<String>,
    pub(crate) reply_limit: Option<String>,
    pub(crate) secret_reply: bool,
    /// The protocol, if it is not the guest agent's.
    pub(crate) protocol: Option<String>,
    /// The trait of commands that may be sent past others, if it is one.
    pub(crate) out_of_band: Option<String>,
    pub(crate) fields: Vec<Field>,
}

#[derive(Debug)]
pub(crate) struct TypePlan {
    pub(crate) name: String,
    pub(crate) doc: String,
    pub(crate) kind: TypeKind,
    /// Whether a command takes it, so that users must be able to make one.
    pub(crate) input: bool,
    /// Whether every value equals itself, which a float's not-a-number does not.
    pub(crate) eq: bool,
}

#[derive(Debug)]
pub(crate) enum TypeKind {
    Struct(Vec<Field>),
    Enum(Vec<Variant>),
    Union(UnionPlan),
    Alternate(Vec<Branch>),
}

/// A union. With members beside the discriminator it becomes a struct that has an enum.
#[derive(Debug)]
pub(crate) struct UnionPlan {
    pub(crate) discriminator: String,
    pub(crate) fields: Vec<Field>,
    pub(crate) branches: Vec<Branch>,
}

#[derive(Clone, Debug)]
pub(crate) struct Field {
    pub(crate) wire: String,
    pub(crate) name: String,
    pub(crate) doc: String,
    pub(crate) ty: RustType,
    pub(crate) optional: bool,
    /// Whether the derive is to send it as base64.
    pub(crate) base64: bool,
    /// What `Debug` shows in place of it, if not the value.
    pub(crate) redacted: Option<Redacted>,
}

/// What `Debug` shows in place of a value.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Redacted {
    /// How many bytes it has.
    Bytes,
    /// How many items it has.
    Items,
    /// That there is a value.
    Value,
}

/// A value of an enum.
#[derive(Debug)]
pub(crate) struct Variant {
    pub(crate) wire: String,
    pub(crate) name: String,
    pub(crate) doc: String,
}

/// A branch of a union or an alternate.
#[derive(Debug)]
pub(crate) struct Branch {
    pub(crate) wire: String,
    pub(crate) name: String,
    pub(crate) doc: String,
    pub(crate) ty: RustType,
}

impl Plan {
    /// Joins a schema and its data file.
    pub(crate) fn new(schema: &Schema, config: &Config) -> Result<Self, Problems> {
        Problems::or(config_check::problems(schema, config), ())?;
        let mut planner = Planner::new(schema, config);
        let modules = in_order(&config.data.modules);
        let modules = modules
            .map(|(name, doc)| planner.module(name.get_ref(), doc))
            .collect();
        let table = planner.table();
        let events = planner.events();
        let plan = Self {
            modules,
            table,
            events,
        };
        Problems::or(planner.problems, plan)
    }
}

impl Planner<'_> {
    fn module(&mut self, name: &str, doc: &str) -> Module {
        let schema = self.schema;
        let commands = schema.commands.iter();
        let types = schema.types.iter();
        let events = schema.events.iter();
        let carried: Vec<_> = events
            .filter_map(|event| self.carried(event, name))
            .collect();
        Module {
            name: name.to_owned(),
            doc: doc.to_owned(),
            commands: commands
                .filter_map(|command| self.command(command, name))
                .collect(),
            types: types
                .filter_map(|ty| self.ty(ty, name))
                .chain(carried)
                .collect(),
        }
    }
}
