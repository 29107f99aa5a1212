//! One list of cases, run against the fake agent and, where one is installed, a real `qemu-ga`, by each client and
//! over a transport of whole messages.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod any;
mod carried;
mod cases;
mod host;
mod proxy;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

use cases::{CASES, Case};
use host::Kind;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let real = host::real_is_installed();
    if !real && !arguments.list {
        eprintln!(
            "no qemu-ga is installed: {} cases are left out; apt-get install qemu-guest-agent",
            CASES.len()
        );
    }
    let mut trials = trials(Kind::Fake);
    trials.extend(trials_with_real_agent(real));
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn trials_with_real_agent(installed: bool) -> Vec<Trial> {
    if !installed && std::env::var_os("CI").is_some_and(|ci| !ci.is_empty()) {
        let missing = || Err("CI needs a real agent: apt-get install qemu-guest-agent".into());
        return vec![Trial::test("real::agent_is_installed", missing)];
    }
    let ignored = |trial: Trial| trial.with_ignored_flag(!installed);
    trials(Kind::Real).into_iter().map(ignored).collect()
}

fn trials(kind: Kind) -> Vec<Trial> {
    let of_case = |case: &'static Case| {
        case.drivers.iter().map(move |driver| {
            let folders = [Some(kind.name()), driver.name(), Some(case.name)];
            let name: Vec<_> = folders.into_iter().flatten().collect();
            Trial::test(name.join("::"), move || {
                host::run(kind, *driver, case);
                Ok(())
            })
        })
    };
    CASES.iter().flat_map(of_case).collect()
}
