//! What libvirt says of the machine.

use qga_core::{Address, MachineWatch as _, Power};

use super::report::{Finding, Report, Stage};

pub(super) async fn ask(address: &Address, report: &mut Report) {
    if !address.scheme().starts_with("libvirt") {
        return;
    }
    let finding = match qga_libvirt::machine(&address.to_string()).await {
        Ok(machine) => {
            let state = *machine.watch().borrow();
            of(state.power, state.port_is_open)
        }
        Err(error) => Finding::bad(
            error.to_string(),
            "see whether libvirt's daemon runs, whether this user may use it, and whether the domain is called so \
             (`virsh list --all`)",
        ),
    };
    report.add(Stage::Libvirt, finding);
}

fn of(power: Power, port_is_open: Option<bool>) -> Finding {
    let advice = match power {
        Power::Running => None,
        Power::Paused => Some("let it go on: `virsh resume`"),
        Power::Suspended => Some("wake it: `virsh dompmwakeup`"),
        Power::Off => Some("start it: `virsh start`"),
        Power::Panicked => Some("reset it: `virsh reset`"),
        _ => return Finding::unknown("the machine's state is not known"),
    };
    let power = match power {
        Power::Running => "the machine runs",
        Power::Paused => "the machine is paused",
        Power::Suspended => "the machine sleeps",
        Power::Panicked => "the guest's kernel has panicked",
        _ => "the machine is off",
    };
    if let Some(advice) = advice {
        return Finding::bad(power, advice);
    }
    match port_is_open {
        Some(true) => Finding::well(format!("{power}, and the guest has the agent's port open")),
        Some(false) => Finding::bad(
            format!("{power}, and the guest does not have the agent's port open"),
            "install qemu-guest-agent in the guest and start it, or wait until the guest has booted",
        ),
        None => Finding::well(power),
    }
}
