use super::arguments::{Arguments, Kind, Parameter, required};
use super::{Command, nothing};
use crate::wire::json::Value;

const ID: &[Parameter] = &[required("id", Kind::Integer)];

pub(super) const COMMANDS: &[Command] = &[
    Command {
        name: "guest-sync-delimited",
        parameters: ID,
        run: |_, arguments| Ok(sync(arguments)),
    },
    Command {
        name: "guest-sync",
        parameters: ID,
        run: |_, arguments| Ok(sync(arguments)),
    },
    Command {
        name: "guest-ping",
        parameters: &[],
        run: |_, _| Ok(nothing()),
    },
];

fn sync(arguments: Arguments<'_>) -> Value {
    Value::Int(arguments.integer("id").unwrap_or_default())
}
