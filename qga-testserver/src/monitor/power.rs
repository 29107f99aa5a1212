//! Commands that stop the machine, let it run, reset it or end it.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::command::{Call, Command, Returned, done, look, with};
use super::shared::{PanicAction, Pause, Shared};
use crate::commands::arguments::{Kind, optional};
use crate::guest::power::{Cause, Power};
use crate::lock::lock;
use crate::wire::reply::Failure;

pub(super) const COMMANDS: &[Command] = &[
    look("stop", |call| {
        stop(call.shared);
        done()
    }),
    look("cont", |call| run_on(call.shared)),
    look("system_reset", |call| {
        reset(call.shared);
        done()
    }),
    look("system_powerdown", |call| {
        press_power_button(call.shared);
        done()
    }),
    look("system_wakeup", wake),
    look("quit", |call| {
        call.shared.power().end(Cause::QUIT);
        done()
    }),
    with(
        "set-action",
        &[
            optional("reboot", Kind::Text),
            optional("shutdown", Kind::Text),
            optional("panic", Kind::Text),
            optional("watchdog", Kind::Text),
        ],
        set_action,
    ),
    look("inject-nmi", |_| done()),
];

/// A machine that sleeps is paused since QEMU 9.0, and sleeps on afterwards.
fn stop(shared: &Shared) {
    let is_paused_asleep = shared.power().now() == Power::Suspended && shared.version().since(9, 0);
    if is_paused_asleep {
        lock(&shared.settings).pause = Pause::Asleep;
        shared.power().turn(Power::Suspended, Power::Paused);
    } else {
        shared.power().stand_still(Power::Paused);
    }
}

fn run_on(shared: &Arc<Shared>) -> Returned {
    let power = shared.power().now();
    if power == Power::Off {
        let text = "Resetting the Virtual Machine is required";
        return Err(Failure::generic(text));
    }
    let pause = std::mem::take(&mut lock(&shared.settings).pause);
    if pause == Pause::Asleep {
        shared.power().turn(Power::Paused, Power::Suspended);
        return done();
    }
    shared.power().run_on();
    if pause == Pause::Prelaunch {
        shared.agent.boot(shared.power().resets());
    }
    if power == Power::Stalled && lock(&shared.blocks).is_full {
        stall(shared);
    }
    done()
}

pub(super) fn reset(shared: &Arc<Shared>) {
    let runs = matches!(shared.power().now(), Power::On | Power::Halted);
    lock(&shared.settings).pause = if runs {
        Pause::Running
    } else {
        Pause::Prelaunch
    };
    let agent = &shared.agent;
    if let Some(resets) = agent.power.reset_by_host() {
        agent.reboot();
        if runs {
            agent.boot(resets);
        }
    }
}

/// Asks the guest to shut down, which it does once its services have stopped.
pub(super) fn press_power_button(shared: &Arc<Shared>) {
    shared.emit("POWERDOWN", Value::Null);
    if !lock(&shared.settings).obeys_button || shared.power().now() != Power::On {
        return;
    }
    let time = lock(&shared.agent.machine).facts().stop_milliseconds;
    let resets = shared.power().resets();
    shared.later(Duration::from_millis(time), move |shared| {
        if shared.power().resets() == resets && shared.power().now() == Power::On {
            shared.power().shut_down(Cause::SHUTDOWN);
        }
    });
}

fn wake(call: &Call<'_>) -> Returned {
    if call.shared.power().now() != Power::Suspended {
        let text = "Unable to wake up: guest is not in suspended state";
        return Err(Failure::generic(text));
    }
    call.shared.power().set(Power::On);
    done()
}

/// The host has no room for what the guest writes.
pub(super) fn stall(shared: &Shared) {
    if shared.power().now() != Power::On {
        return;
    }
    let error = lock(&shared.blocks).full_disk();
    if let Some(error) = error {
        // A real one tells it for each write that was under way.
        shared.emit("BLOCK_IO_ERROR", error.clone());
        shared.emit("BLOCK_IO_ERROR", error);
    }
    shared.power().stand_still(Power::Stalled);
}

/// The guest's kernel tells that it has panicked.
pub(super) fn panic(shared: &Shared) {
    if !matches!(shared.power().now(), Power::On | Power::Halted) {
        return;
    }
    let action = lock(&shared.settings).panic;
    let told = match action {
        PanicAction::Shutdown | PanicAction::ExitFailure => "poweroff",
        PanicAction::Pause => "pause",
        PanicAction::None => "run",
    };
    shared.emit("GUEST_PANICKED", json!({"action": told}));
    match action {
        PanicAction::Shutdown | PanicAction::ExitFailure => {
            shared.power().shut_down(Cause::PANIC);
        }
        PanicAction::Pause => shared.power().stand_still(Power::Panicked),
        // What the guest does then is up to its kernel.
        PanicAction::None => shared.power().turn(Power::On, Power::Halted),
    }
}

fn set_action(call: &Call<'_>) -> Returned {
    let chosen = |name: &str, known: &[&str]| match call.text(name) {
        Some(value) if !known.contains(&value) => Err(Failure::generic(format!(
            "Parameter '{name}' does not accept value '{value}'"
        ))),
        value => Ok(value.map(str::to_owned)),
    };
    let reboot = chosen("reboot", &["reset", "shutdown"])?;
    let shutdown = chosen("shutdown", &["poweroff", "pause"])?;
    let panic = chosen("panic", &["pause", "shutdown", "exit-failure", "none"])?;
    call.shared.power().edit_actions(|actions| {
        if let Some(reboot) = reboot {
            actions.reboot_is_shutdown = reboot == "shutdown";
        }
        if let Some(shutdown) = shutdown {
            actions.shutdown_is_pause = shutdown == "pause";
        }
    });
    if let Some(panic) = panic {
        lock(&call.shared.settings).panic = match &*panic {
            "pause" => PanicAction::Pause,
            "exit-failure" => PanicAction::ExitFailure,
            "none" => PanicAction::None,
            _ => PanicAction::Shutdown,
        };
    }
    done()
}
