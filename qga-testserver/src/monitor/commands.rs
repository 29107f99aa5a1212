//! The commands that the fake monitor carries out.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use serde_json::{Value, json};

use super::command::{Call, Command, Returned, done, look, with};
use super::{block, jobs, power, qom, query};
use crate::commands::arguments::{Kind, optional, required};
use crate::wire::reply::Failure;

/// The command of this name.
pub(super) fn find(name: &str) -> Option<&'static Command> {
    all().find(|command| command.name == name)
}

fn all() -> impl Iterator<Item = &'static Command> {
    [
        COMMANDS,
        power::COMMANDS,
        query::COMMANDS,
        qom::COMMANDS,
        block::COMMANDS,
        jobs::COMMANDS,
    ]
    .into_iter()
    .flatten()
}

const COMMANDS: &[Command] = &[
    with(
        "qmp_capabilities",
        &[optional("enable", Kind::Texts)],
        negotiate,
    ),
    look("query-commands", |_| {
        Ok(all().map(|command| json!({"name": command.name})).collect())
    }),
    Command {
        name: "query-yank",
        parameters: Some(&[]),
        overtakes: true,
        run: |_| {
            Ok(YANKED
                .map(|id| json!({"type": "chardev", "id": id}))
                .into_iter()
                .collect())
        },
    },
    Command {
        name: "yank",
        parameters: Some(&[required("instances", Kind::Any)]),
        overtakes: true,
        run: yank,
    },
    Command {
        name: "migrate-pause",
        parameters: Some(&[]),
        overtakes: true,
        run: |_| {
            let text = "migrate-pause is currently only supported during postcopy-active state";
            Err(Failure::generic(text))
        },
    },
];

/// The sockets off which a client can be thrown: the monitor's and the agent's.
const YANKED: [&str; 2] = ["mon0", "qga0"];

fn negotiate(call: &Call<'_>) -> Returned {
    let enabled = call.arguments.get("enable").and_then(Value::as_array);
    let names = enabled.into_iter().flatten().filter_map(Value::as_str);
    if let Some(unknown) = names.clone().find(|name| *name != "oob") {
        let text = format!("Parameter 'null' does not accept value '{unknown}'");
        return Err(Failure::generic(text));
    }
    let session = call.session;
    session
        .may_overtake
        .store(names.count() > 0, Ordering::Relaxed);
    session.has_negotiated.store(true, Ordering::Relaxed);
    call.shared.set_listener(Some(Arc::clone(&session.outbox)));
    done()
}

/// Throws clients off the sockets that are named, unless one of them is not there.
fn yank(call: &Call<'_>) -> Returned {
    let instances = call.arguments.get("instances").and_then(Value::as_array);
    let ids = instances.into_iter().flatten().map(|instance| {
        let id = instance.get("id").and_then(Value::as_str);
        id.filter(|id| YANKED.contains(id))
            .ok_or_else(|| Failure::new("DeviceNotFound", "Instance not found"))
    });
    for id in ids.collect::<Result<Vec<_>, _>>()? {
        match id {
            "qga0" => call.shared.agent.throw_off(),
            _ => call.shared.cut_off.send_modify(|count| *count += 1),
        }
    }
    done()
}
