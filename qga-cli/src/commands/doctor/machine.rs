//! What libvirt or QEMU's monitor says of the machine.

use qga_core::{Address, MachineState, MachineWatch as _, Power};

use super::report::{Finding, Report, Stage};
use crate::commands::Context;

pub(super) async fn ask(context: &Context, address: &Address, report: &mut Report) {
    if address.scheme().starts_with("libvirt") {
        report.add(Stage::Libvirt, ask_libvirt(address).await);
    }
    match by_qemu(context).await {
        Ok(None) => {}
        Ok(Some(state)) => {
            report.add(Stage::Monitor, judged(state, by_monitor));
        }
        Err(error) => {
            let advice = "see whether the machine runs, and whether another client has its monitor";
            report.add(Stage::Monitor, Finding::bad(error.to_string(), advice));
        }
    }
}

async fn by_qemu(context: &Context) -> anyhow::Result<Option<MachineState>> {
    let Some(monitor) = context.monitor().await? else {
        return Ok(None);
    };
    let state = *monitor.machine().await?.watch().borrow();
    Ok(Some(state))
}

async fn ask_libvirt(address: &Address) -> Finding {
    match qga_libvirt::machine(&address.to_string()).await {
        Ok(machine) => judged(*machine.watch().borrow(), by_libvirt),
        Err(error) => Finding::bad(
            error.to_string(),
            "see whether libvirt's daemon runs, whether this user may use it, and whether the domain is called so \
             (`virsh list --all`)",
        ),
    }
}

/// What to do about a machine that does not run.
fn by_libvirt(power: Power) -> &'static str {
    match power {
        Power::Paused => "let it go on: `virsh resume`",
        Power::Suspended => "wake it: `virsh dompmwakeup`",
        Power::Stalled => "make room on the host's disk, and then `virsh resume`",
        Power::Panicked => "reset it: `virsh reset`",
        _ => "start it: `virsh start`",
    }
}

fn by_monitor(power: Power) -> &'static str {
    match power {
        Power::Paused => "let it go on, by `cont` at its monitor",
        Power::Suspended => "wake it, by `system_wakeup` at its monitor",
        Power::Stalled => {
            "make room on the host's disk, and then let it go on, by `cont` at its monitor"
        }
        Power::Panicked => "reset it, by `system_reset` at its monitor",
        _ => "start it",
    }
}

fn judged(state: MachineState, advice: fn(Power) -> &'static str) -> Finding {
    let power = state.power;
    if power == Power::Unknown {
        return Finding::unknown("the machine's state is not known");
    }
    let words = format!("the machine {power}");
    if power != Power::Running {
        return Finding::bad(words, advice(power));
    }
    match state.port_is_open {
        Some(true) => Finding::well(format!("{words}, and the guest has the agent's port open")),
        Some(false) => Finding::bad(
            format!("{words}, and the guest does not have the agent's port open"),
            "install qemu-guest-agent in the guest and start it, or wait until the guest has booted",
        ),
        None => Finding::well(words),
    }
}
