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
mod channel;
mod host;
mod killed;
mod proxy;
mod relay;
mod serial_agent;
mod ssh_master;
mod ssh_server;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

use any::STREAMS;
use cases::{CASES, Case};
use channel::Channel;
use host::Kind;

fn main() -> ExitCode {
    if let Some(ended) = relay::main().or_else(killed::main) {
        return ended;
    }
    let arguments = Arguments::from_args();
    let real = host::real_is_installed();
    if !real && !arguments.list {
        eprintln!(
            "no qemu-ga is installed: {} cases are left out; apt-get install qemu-guest-agent",
            CASES.len()
        );
    }
    let mut trials = trials(Kind::Fake, Channel::Unix);
    trials.extend(trials_with_real_agent(real));
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn trials_with_real_agent(installed: bool) -> Vec<Trial> {
    if !installed && host::ci() {
        let missing = || Err("CI needs a real agent: apt-get install qemu-guest-agent".into());
        return vec![Trial::test("real::agent_is_installed", missing)];
    }
    let own = trials(Kind::Real, Channel::Unix);
    let others = channel::OTHERS.iter();
    let others = others.flat_map(|channel| trials_over(*channel));
    let alone = trials_of_killed(Channel::Unix).chain(trials_of_serial_agent());
    let others = others.chain(alone);
    let ignored = |trial: Trial| {
        if installed {
            trial
        } else {
            trial.with_ignored_flag(true)
        }
    };
    own.into_iter().chain(others).map(ignored).collect()
}

/// The cases over a channel, or what is missing for it.
fn trials_over(channel: Channel) -> Vec<Trial> {
    let name = format!("real::{}", channel.name());
    let Some(missing) = channel.missing() else {
        eprintln!("{name}: the cases run over this channel");
        let mut trials = trials(Kind::Real, channel);
        trials.extend(trials_of_killed(channel));
        if channel == Channel::Ssh {
            let name = format!("{name}::guests_of_one_host_share_one_connection");
            trials.push(Trial::test(name, || {
                ssh_master::guests_of_one_host_share_one_connection();
                Ok(())
            }));
        }
        return trials;
    };
    // No package brings what is missing in the kernel.
    if host::ci() && channel != Channel::Vsock && !host::is_left_out("ssh") {
        return vec![Trial::test(name, move || Err(missing.into()))];
    }
    eprintln!("{name} is left out: {missing}");
    Vec::new()
}

fn trials_of_killed(channel: Channel) -> impl Iterator<Item = Trial> {
    STREAMS.iter().map(move |driver| {
        let over = (channel != Channel::Unix).then(|| channel.name());
        let name = "a_program_that_is_killed_leaves_nothing_behind";
        let folders = [Some("real"), over, driver.name(), Some(name)];
        let name: Vec<_> = folders.into_iter().flatten().collect();
        Trial::test(name.join("::"), move || {
            killed::run(*driver, channel);
            Ok(())
        })
    })
}

fn trials_of_serial_agent() -> impl Iterator<Item = Trial> {
    STREAMS.iter().map(move |driver| {
        let name = "an_agent_on_a_serial_line_answers_whoever_comes";
        let folders = [Some("real"), driver.name(), Some(name)];
        let name: Vec<_> = folders.into_iter().flatten().collect();
        Trial::test(name.join("::"), || {
            serial_agent::run(*driver);
            Ok(())
        })
    })
}

fn trials(kind: Kind, channel: Channel) -> Vec<Trial> {
    let of_case = |case: &'static Case| {
        let drivers = case.drivers.iter().filter(move |driver| match channel {
            Channel::Unix => true,
            channel => case.channels.has(channel) && STREAMS.contains(driver),
        });
        drivers.map(move |driver| {
            let over = (channel != Channel::Unix).then(|| channel.name());
            let folders = [Some(kind.name()), over, driver.name(), Some(case.name)];
            let name: Vec<_> = folders.into_iter().flatten().collect();
            Trial::test(name.join("::"), move || {
                host::run(kind, *driver, channel, case);
                Ok(())
            })
        })
    };
    CASES.iter().flat_map(of_case).collect()
}
