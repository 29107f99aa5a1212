//! Events of a machine that goes where its guest and its host let it go.

use std::sync::Arc;

use serde_json::{Value, json};

use super::shared::{End, Shared};
use crate::guest::power::{Cause, Change, Power};
use crate::lock::lock;

/// Tells the monitor's client what has changed about the machine.
pub(super) fn follow(shared: &Arc<Shared>, change: &Change) {
    if shared.ended.borrow().is_some() {
        return;
    }
    let (before, after) = (change.before, change.after);
    let is_sudden = after.power == Power::Off
        && change.cause != Cause::SHUTDOWN
        && change.cause != Cause::REBOOT;
    if before.port_is_open && !after.port_is_open && !is_sudden {
        shared.tell_port(false);
    }
    if after.resets > before.resets {
        tell_reset(shared, change.cause);
    } else if after.power != before.power {
        tell_power(shared, change);
    }
    if !before.port_is_open && after.port_is_open {
        shared.tell_port(true);
    }
}

/// A real one tells of one reboot up to 13 times.
fn tell_reset(shared: &Shared, cause: Cause) {
    shared.emit("RESET", told(cause));
    shared.emit("RESET", told(Cause::REBOOT));
}

fn tell_power(shared: &Arc<Shared>, change: &Change) {
    match (change.before.power, change.after.power) {
        // It was started again.
        (Power::Off, _) | (_, Power::Halted) => {}
        (before, Power::Off) => tell_off(shared, before, change.cause),
        (Power::On | Power::Halted, Power::Suspended) => shared.emit("SUSPEND", Value::Null),
        (Power::Suspended, Power::On) => shared.emit("WAKEUP", Value::Null),
        (_, Power::Paused | Power::Panicked | Power::Stalled) => shared.emit("STOP", Value::Null),
        (_, Power::On | Power::Suspended) => shared.emit("RESUME", Value::Null),
    }
}

fn tell_off(shared: &Arc<Shared>, before: Power, cause: Cause) {
    let is_saved = lock(&shared.agent.machine).is_saved;
    if is_saved && cause == Cause::SHUTDOWN {
        shared.emit("SUSPEND_DISK", Value::Null);
    }
    shared.emit("SHUTDOWN", told(cause));
    if !shared.power().is_kept() {
        shared.ended.send_replace(Some(End::Exit));
    } else if matches!(before, Power::On | Power::Halted) {
        shared.emit("STOP", Value::Null);
    }
}

fn told(cause: Cause) -> Value {
    json!({"guest": cause.is_guests, "reason": cause.reason})
}
