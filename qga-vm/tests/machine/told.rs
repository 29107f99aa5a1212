//! What the host sees of a machine, as a client is told.

use qga_core::{MachineState, Power};
use qga_testserver::TestAgent;
use qga_vm::Vm;
use serde_json::Value;
use tokio::sync::watch;

use crate::machine::Machine;

impl Machine {
    /// What its host sees of it from now on.
    pub(crate) fn told(&self) -> watch::Receiver<MachineState> {
        match self {
            Self::Fake(agent) => told_by_fake(agent),
            Self::Real(vm) => told_by_monitor(vm),
            Self::Domain(_) => panic!("libvirt has its monitor"),
        }
    }
}

fn told_by_monitor(vm: &Vm) -> watch::Receiver<MachineState> {
    let mut events = vm.monitor().event_log();
    let mut read = events.borrow_and_update().len();
    let (told, machine) = watch::channel(MachineState::new());
    tokio::spawn(async move {
        while events.changed().await.is_ok() {
            let log = events.borrow_and_update().clone();
            for event in &log[read..] {
                told.send_modify(|state| heed(state, event));
            }
            read = log.len();
        }
        told.send_modify(|state| state.power = Power::Off);
    });
    machine
}

fn heed(state: &mut MachineState, event: &Value) {
    let has_ended = matches!(state.power, Power::Off | Power::Panicked);
    let power = match event["event"].as_str().unwrap() {
        "VSERPORT_CHANGE" if event["data"]["id"] == "agentport" => {
            state.port_is_open = event["data"]["open"].as_bool();
            return;
        }
        "RESET" => {
            state.resets += 1;
            Power::Running
        }
        // A machine that has ended may be kept, and is stopped then, or switched off.
        "STOP" | "SHUTDOWN" if has_ended => return,
        "STOP" => Power::Paused,
        "RESUME" | "WAKEUP" => Power::Running,
        "SUSPEND" => Power::Suspended,
        "SHUTDOWN" => Power::Off,
        "GUEST_PANICKED" => Power::Panicked,
        _ => return,
    };
    state.power = power;
}

fn told_by_fake(agent: &TestAgent) -> watch::Receiver<MachineState> {
    let mut views = agent.machine();
    let (told, machine) = watch::channel(MachineState::new());
    tokio::spawn(async move {
        while views.changed().await.is_ok() {
            let view = *views.borrow_and_update();
            told.send_modify(|state| {
                state.port_is_open = Some(view.port_is_open);
                state.resets = view.resets;
                state.power = match view.power {
                    qga_testserver::Power::On | qga_testserver::Power::Halted => Power::Running,
                    qga_testserver::Power::Suspended => Power::Suspended,
                    qga_testserver::Power::Paused => Power::Paused,
                    _ => Power::Off,
                };
            });
        }
    });
    machine
}
