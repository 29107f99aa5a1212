use std::cmp::Reverse;

use super::{Command, Context, all, is_disabled, is_silent, schema};
use crate::json::{Object, Value};

pub(super) const COMMANDS: &[Command] = &[Command {
    name: "guest-info",
    parameters: &[],
    run: |context, _| Ok(info(context)),
}];

fn info(context: &Context<'_>) -> Value {
    let Context {
        settings, stubs, ..
    } = context;
    let stubbed = stubs.names();
    let disabled = settings.disabled.iter().filter(|name| schema::has(name));
    let mut names: Vec<&str> = all().map(|command| command.name).collect();
    names.extend(disabled.chain(&stubbed).map(String::as_str));
    // The list is in reverse order of the schema; what the schema lacks was registered last.
    names.sort_by_key(|name| (Reverse(schema::place(name)), *name));
    names.dedup();
    let commands = names.into_iter().map(|name| {
        Value::Object(Object::of([
            ("name", name.into()),
            ("enabled", (!is_disabled(name, settings, stubs)).into()),
            ("success-response", (!is_silent(name)).into()),
        ]))
    });
    Value::Object(Object::of([
        ("version", settings.profile.version().into()),
        ("supported_commands", Value::Array(commands.collect())),
    ]))
}
