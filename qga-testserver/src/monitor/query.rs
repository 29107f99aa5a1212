//! What the monitor tells of itself and of the machine.

use std::sync::atomic::Ordering;

use super::told::add;
use serde_json::{Value, json};

use super::command::{Call, Command, look};
use super::shared::Shared;
use crate::lock::lock;

pub(super) const COMMANDS: &[Command] = &[
    look("query-version", |call| Ok(version(call.shared))),
    look("query-status", |call| Ok(status(call))),
    look("query-name", |call| {
        let name = lock(&call.shared.settings).name.clone();
        Ok(name.map_or(json!({}), |name| json!({"name": name})))
    }),
    look("query-uuid", |call| {
        Ok(json!({"UUID": lock(&call.shared.settings).uuid}))
    }),
    look("query-current-machine", |_| {
        Ok(json!({"wakeup-suspend-support": true}))
    }),
    look("query-chardev", |call| Ok(devices(call.shared))),
];

/// Where this QEMU comes from.
pub(super) const PACKAGE: &str = "fake";

fn version(shared: &Shared) -> Value {
    let (major, minor, micro) = shared.version().version();
    json!({"qemu": {"major": major, "minor": minor, "micro": micro}, "package": PACKAGE})
}

fn status(call: &Call<'_>) -> Value {
    let status = call.shared.status();
    let mut told = json!({"status": status, "running": status == "running"});
    if !call.shared.version().since(10, 0) {
        add(&mut told, "singlestep", false);
    }
    told
}

fn devices(shared: &Shared) -> Value {
    let [monitor, agent] = &lock(&shared.settings).sockets;
    let missing = if shared.agent.has_client.load(Ordering::Relaxed) {
        ""
    } else {
        "disconnected:"
    };
    let is_open = shared.power().view().port_is_open;
    json!([
        {"label": "mon0", "frontend-open": true, "filename": format!("{monitor},server=on")},
        {"label": "serial0", "frontend-open": true, "filename": "null"},
        {"label": "qga0", "frontend-open": is_open, "filename": format!("{missing}{agent},server=on")},
    ])
}
