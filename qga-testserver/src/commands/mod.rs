//! The commands that the fake carries out by itself.

mod base64;
mod file;
mod info;
mod network;
mod schema;
mod sync;
mod system;

use crate::arguments::{Arguments, Parameter};
use crate::guest::Guest;
use crate::json::{Object, Value};
use crate::reply::Outcome;
use crate::state::Settings;
use crate::stubs::Stubs;

/// A command of the agent.
pub(crate) struct Command {
    pub(crate) name: &'static str,
    pub(crate) parameters: &'static [Parameter],
    pub(crate) run: fn(&mut Context<'_>, Arguments<'_>) -> Outcome,
}

/// What a command works on.
pub(crate) struct Context<'a> {
    pub(crate) guest: &'a mut Guest,
    pub(crate) settings: &'a Settings,
    pub(crate) stubs: &'a Stubs,
}

/// The command of this name.
pub(crate) fn find(name: &[u8]) -> Option<&'static Command> {
    all().find(|command| command.name.as_bytes() == name)
}

/// Whether a command is there and may not be used; other names in the list mean nothing.
pub(crate) fn is_disabled(name: &str, settings: &Settings, stubs: &Stubs) -> bool {
    settings.disabled.contains(name)
        && (schema::has(name) || stubs.names().iter().any(|stubbed| stubbed == name))
}

/// Whether a command answers only when it fails.
pub(crate) fn is_silent(name: &str) -> bool {
    const SILENT: [&str; 4] = [
        "guest-shutdown",
        "guest-suspend-disk",
        "guest-suspend-ram",
        "guest-suspend-hybrid",
    ];
    SILENT.contains(&name)
}

fn all() -> impl Iterator<Item = &'static Command> {
    [
        sync::COMMANDS,
        info::COMMANDS,
        system::COMMANDS,
        network::COMMANDS,
        file::COMMANDS,
    ]
    .into_iter()
    .flatten()
}

/// What a command without a result returns.
fn nothing() -> Value {
    Value::Object(Object::default())
}
