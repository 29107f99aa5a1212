use std::cmp::Reverse;

use super::{Command, Context, Policy, is_silent, look, schema};
use crate::wire::json::{Object, Value};

pub(super) const COMMANDS: &[Command] = &[look("guest-info", |context, _| Ok(info(context)))];

fn info(context: &Context<'_>) -> Value {
    let settings = context.settings;
    let policy = Policy {
        settings,
        stubs: context.stubs,
        frozen: context.machine().facts().frozen,
    };
    let stubbed = context.stubs.names();
    let mut names: Vec<&str> = schema::listed(settings.profile).collect();
    names.extend(stubbed.iter().map(String::as_str));
    // The list is in reverse order of the schema; what the schema lacks was registered last.
    names.sort_by_key(|name| (Reverse(schema::place(name)), *name));
    names.dedup();
    let commands = names.into_iter().map(|name| {
        Value::Object(Object::of([
            ("name", name.into()),
            ("enabled", (!policy.is_disabled(name)).into()),
            ("success-response", (!is_silent(name)).into()),
        ]))
    });
    Value::Object(Object::of([
        ("version", settings.profile.version_text().as_str().into()),
        ("supported_commands", Value::Array(commands.collect())),
    ]))
}
