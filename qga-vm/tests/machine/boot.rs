//! A machine that starts, and clients that are there before.

use std::time::Duration;

use qga_commands::commands::agent::{Info, Ping};
use qga_commands::commands::exec::Exec;
use qga_commands::commands::os::GetOsInfo;
use qga_core::Options;
use qga_vm::Vm;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::case::{EVERY_AND_LIBVIRT, MACHINES, On, cases};
use crate::machine::{Machine, ready};
use crate::raw::{Raw, id};

cases![
    an_agent_answers on EVERY_AND_LIBVIRT,
    a_client_that_connects_before_the_guest_is_up_becomes_ready on MACHINES,
    what_was_sent_before_the_guest_was_up_is_answered_in_order on MACHINES,
    a_request_that_no_agent_takes_ends_in_time_and_is_not_run_later on MACHINES,
];

/// It also says what there is, for the table of what was tested on what.
async fn an_agent_answers(on: On) {
    let machine = Machine::start(on).await;
    let guest = machine.guest().await;
    guest.execute(Ping).await.unwrap();
    let agent = guest.execute(Info).await.unwrap().version;
    let os = guest.execute(GetOsInfo).await.unwrap();
    let (os, kernel) = (os.pretty_name.unwrap(), os.kernel_release.unwrap());
    let emulator = match &machine {
        Machine::Fake(_) => return,
        Machine::Real(vm) => vm.emulator().await.unwrap(),
        Machine::Domain(domain) => domain.host().version().await.unwrap(),
    };
    println!(
        "seen {}: agent {agent}, {os}, Linux {kernel}, {emulator}",
        on.name()
    );
}

/// How many machines are booted, and how many of them at once.
fn boots(on: On) -> (usize, usize) {
    let wanted = std::env::var("QGA_BOOTS").ok();
    let wanted = wanted.map(|count| count.parse().unwrap());
    match on {
        On::Debian => (wanted.unwrap_or(2), 2),
        _ => (wanted.unwrap_or(20), 4),
    }
}

async fn a_client_that_connects_before_the_guest_is_up_becomes_ready(on: On) {
    let (count, at_once) = boots(on);
    let mut booting = JoinSet::new();
    for number in 0..count {
        if booting.len() == at_once {
            booting.join_next().await.unwrap().unwrap();
        }
        booting.spawn(becomes_ready(on, number));
    }
    while let Some(booted) = booting.join_next().await {
        booted.unwrap();
    }
}

async fn becomes_ready(on: On, number: usize) {
    let vm = Vm::of(on.image()).boot().await.unwrap();
    match number % 4 {
        // It is there from the beginning.
        0 => {}
        // It comes in the middle of the boot, at one moment or another.
        1 => sleep(Duration::from_millis(97 * number as u64)).await,
        // Others come and go until an agent is there,
        2 => others(&vm, true).await,
        // or leave before.
        _ => others(&vm, false).await,
    }
    let guest = ready().connect(vm.address()).await;
    let guest = guest.unwrap_or_else(|error| panic!("{error:?}; {}", vm.console()));
    guest.execute(Ping).await.unwrap();
}

/// Clients that ask something and do not wait for the answer.
async fn others(vm: &Vm, until_an_agent_is_there: bool) {
    let open = async { vm.monitor().agent_port(true).await.unwrap() };
    let come_and_go = async {
        for number in 0.. {
            let mut other = Raw::connect(&vm.address()).await;
            other
                .write(
                    b"\xFF{\"execute\":\"guest-sync-delimited\",\"arguments\":{\"id\":1}}\n{\"exec",
                )
                .await;
            sleep(Duration::from_millis(10 * (number % 20))).await;
            if number == 5 && !until_an_agent_is_there {
                return;
            }
        }
    };
    tokio::select! {
        () = open => {}
        () = come_and_go => {}
    }
}

async fn what_was_sent_before_the_guest_was_up_is_answered_in_order(on: On) {
    let vm = Vm::of(on.image()).boot().await.unwrap();
    let mut client = Raw::connect(&vm.address()).await;
    client.write(b"\xFF").await;
    client.send("guest-sync-delimited", r#""id":9"#, 1).await;
    for number in 2..5 {
        client.send("guest-ping", "", number).await;
    }
    vm.monitor().agent_port(true).await.unwrap();
    let stray = client.line().await.unwrap();
    assert!(stray.starts_with(b"{\"error\""));
    let delimited = client.line().await.unwrap();
    assert_eq!(delimited[0], 0xFF);
    assert_eq!(id(&delimited), 1);
    for number in 2..5 {
        assert_eq!(id(&client.line().await.unwrap()), number);
    }
}

async fn a_request_that_no_agent_takes_ends_in_time_and_is_not_run_later(on: On) {
    let machine = Machine::start(on).await;
    let shell = machine.vm().shell();
    let (stop, start) = match on {
        On::Debian => (
            "systemctl stop qemu-guest-agent",
            "systemctl start qemu-guest-agent",
        ),
        _ => (
            ": >/run/no-agent; kill $(pidof qemu-ga)",
            "rm /run/no-agent",
        ),
    };
    let guest = machine.guest().await;
    guest.execute(Ping).await.unwrap();
    shell.must(stop).await.unwrap();
    machine.vm().monitor().agent_port(false).await.unwrap();
    let client = guest.client();
    let brief = client.with_options(Options::new().timeout(Duration::from_secs(2)));
    let mut long = Exec::new("/bin/sh");
    long.arg = Some(vec!["-c".into(), "touch /run/was-run".into()]);
    long.input_data = Some(vec![b' '; 1 << 20]);
    let error = brief.execute(long).await.unwrap_err();
    assert!(error.is_timeout(), "{error:?}");
    shell.must(start).await.unwrap();
    guest.wait_ready(&ready()).await.unwrap();
    assert_eq!(shell.run("test -e /run/was-run").await.unwrap().code, 1);
    // So much is on its way, and no more is taken.
    drop(guest);
    shell.must(stop).await.unwrap();
    let taken = Raw::connect(&machine.address())
        .await
        .write_until_full(4 << 20)
        .await;
    assert!(taken < 4 << 20, "{taken}");
}
