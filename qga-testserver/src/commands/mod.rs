//! The commands that the fake carries out by itself.

mod accounts;
pub(crate) mod arguments;
mod base64;
mod exec;
mod file;
mod freeze;
mod hardware;
mod info;
mod network;
mod policy;
mod power;
mod schema;
mod storage;
mod sync;
mod system;

use std::sync::{Mutex, MutexGuard};

use serde::Serialize;

use crate::Profile;
use crate::guest::machine::Machine;
use crate::guest::power::PowerChange;
use crate::lock::lock;
use crate::profile::Settings;
use crate::stub::Stubs;
use crate::wire::json::{Object, Value};
use crate::wire::reply::Outcome;
use arguments::{Arguments, Parameter};

pub(crate) use policy::Policy;

/// A command of the agent.
pub(crate) struct Command {
    pub(crate) name: &'static str,
    pub(crate) parameters: &'static [Parameter],
    pub(crate) run: fn(&mut Context<'_>, Arguments<'_>) -> Outcome,
}

/// What a command works on.
pub(crate) struct Context<'a> {
    pub(crate) machine: &'a Mutex<Machine>,
    pub(crate) stubs: &'a Stubs,
    pub(crate) settings: &'a Settings,
    /// How the command changes the guest's power.
    pub(crate) power: Option<PowerChange>,
}

impl<'a> Context<'a> {
    fn machine(&self) -> MutexGuard<'a, Machine> {
        lock(self.machine)
    }
}

/// The command of this name, if an agent of this profile has it.
pub(crate) fn find(name: &str, profile: Profile) -> Option<&'static Command> {
    let there = schema::presence(name, profile) == schema::Presence::There;
    all().find(|command| there && command.name == name)
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
        freeze::COMMANDS,
        storage::COMMANDS,
        hardware::COMMANDS,
        accounts::COMMANDS,
        exec::COMMANDS,
        power::COMMANDS,
    ]
    .into_iter()
    .flatten()
}

/// A command without parameters.
const fn look(name: &'static str, run: fn(&mut Context<'_>, Arguments<'_>) -> Outcome) -> Command {
    Command {
        name,
        parameters: &[],
        run,
    }
}

/// The empty object that a command without a result returns.
fn nothing() -> Value {
    Value::Object(Object::default())
}

/// A fact of the guest in the form in which a reply contains it.
fn value(fact: &impl Serialize) -> Value {
    // Facts have string keys only, so they can be spelled.
    Value::from(&serde_json::to_value(fact).unwrap_or_default())
}
