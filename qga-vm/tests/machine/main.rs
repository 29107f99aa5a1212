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
mod discovery;
mod files;
mod freeze;
mod guard;
mod inside;
mod interruption;
mod machine;
mod machine_state;
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
    ("unit", unit::CASES),
    ("freeze", freeze::CASES),
    ("guard", guard::CASES),
    ("settings", settings::CASES),
    ("accounts", accounts::CASES),
    ("programs", programs::CASES),
    ("files", files::CASES),
];

fn main() -> ExitCode {
    if let Some(exit_code) = guard::freeze_instead() {
        return exit_code;
    }
    let arguments = Arguments::from_args();
    let missing = qga_vm::missing();
    let mut trials = Vec::new();
    if !missing.is_empty() {
        if case::must_run() {
            let text = format!("there are no real machines without {}", missing.join(", "));
            let fail = move || Err(text.into());
            trials.push(Trial::test("machines::can_be_started", fail));
        } else if !arguments.list {
            let missing = missing.join(", ");
            eprintln!(
                "cases with real machines are left out: this host lacks {missing}, which scripts/test installs"
            );
        }
    }
    for (module, cases) in MODULES {
        for case in *cases {
            for on in case.on {
                let left_out = *on != On::Fake && !missing.is_empty();
                trials.push(case.trial(module, *on).with_ignored_flag(left_out));
            }
        }
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}
