//! What the library does with real guests in real machines, and whether the fake agent does the same.
//!
//! Each case says on what it runs. A trial's name is `ON::MODULE::CASE`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod accounts;
mod agent;
mod boot;
mod case;
mod channel;
mod clients;
mod command_line;
mod discovery;
mod files;
mod freeze;
mod guard;
mod inside;
mod interruption;
mod libvirt;
mod libvirt_killed;
mod libvirt_moments;
mod libvirt_reach;
mod machine;
mod machine_state;
mod monitored;
mod monitored_faults;
mod monitored_moves;
mod monitored_snapshots;
mod panic;
mod power;
mod programs;
mod raw;
mod reboot;
mod relay;
mod settings;
mod suspend;
mod told;
mod unit;
mod wire;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

use case::{Case, On};

const MODULES: &[(&str, &[Case])] = &[
    ("boot", boot::CASES),
    ("power", power::CASES),
    ("reboot", reboot::CASES),
    ("suspend", suspend::CASES),
    ("panic", panic::CASES),
    ("channel", channel::CASES),
    ("discovery", discovery::CASES),
    ("agent", agent::CASES),
    ("machine_state", machine_state::CASES),
    ("monitored", monitored::CASES),
    ("monitored_faults", monitored_faults::CASES),
    ("monitored_moves", monitored_moves::CASES),
    ("monitored_snapshots", monitored_snapshots::CASES),
    ("unit", unit::CASES),
    ("freeze", freeze::CASES),
    ("guard", guard::CASES),
    ("settings", settings::CASES),
    ("accounts", accounts::CASES),
    ("programs", programs::CASES),
    ("files", files::CASES),
    ("command_line", command_line::CASES),
    ("libvirt", libvirt::CASES),
    ("libvirt_killed", libvirt_killed::CASES),
    ("libvirt_moments", libvirt_moments::CASES),
    ("libvirt_reach", libvirt_reach::CASES),
];

fn main() -> ExitCode {
    if let Some(exit_code) = guard::freeze_instead() {
        return exit_code;
    }
    let arguments = Arguments::from_args();
    let machines = Lacking::new("vm", "machines", qga_vm::missing());
    let libvirt = Lacking::new("libvirt", "libvirt domains", qga_vm::LibvirtHost::missing());
    // There are no domains without machines.
    let lacking = [&machines, &libvirt]
        .into_iter()
        .find(|lacking| lacking.is_lacking());
    let mut trials: Vec<_> = lacking
        .and_then(|lacking| lacking.tell(arguments.list))
        .into_iter()
        .collect();
    for (module, cases) in MODULES {
        for case in *cases {
            for on in case.on {
                let left_out = match on {
                    On::Fake => false,
                    On::Busybox | On::Debian => machines.is_lacking(),
                    On::Libvirt => machines.is_lacking() || libvirt.is_lacking(),
                };
                trials.push(case.trial(module, *on).with_ignored_flag(left_out));
            }
        }
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// What this host lacks for some of the cases.
struct Lacking {
    /// As `QGA_LEAVE_OUT` names the cases.
    name: &'static str,
    /// As people do.
    cases: &'static str,
    missing: Vec<&'static str>,
}

impl Lacking {
    fn new(name: &'static str, cases: &'static str, missing: Vec<&'static str>) -> Self {
        Self {
            name,
            cases,
            missing,
        }
    }

    fn is_lacking(&self) -> bool {
        !self.missing.is_empty()
    }

    /// Says it, or returns a trial that fails where nothing may be left out.
    fn tell(&self, is_list: bool) -> Option<Trial> {
        let (cases, missing) = (self.cases, self.missing.join(", "));
        if case::must_run(self.name) {
            let text = format!("there are no real {cases} without {missing}");
            let fail = move || Err(text.into());
            return Some(Trial::test(format!("{}::can_be_started", self.name), fail));
        }
        if !is_list {
            eprintln!(
                "cases with real {cases} are left out: this host lacks {missing}, which scripts/test installs"
            );
        }
        None
    }
}
