//! A guest whose kernel panics.

use std::time::Duration;

use qga_commands::guest::power::Outcome;
use qga_commands::guest::ready::{Ready, ReadyStage};
use qga_commands::{Guest, GuestError};

use crate::case::{BUSYBOX, On, cases};
use crate::machine::{Machine, ready};
use crate::power::TOLD;

cases![
    a_panic_that_resets_the_machine_ends_a_program_that_is_waited_for on BUSYBOX,
    a_panic_that_leaves_the_machine_on_is_silence_that_ends_in_time on BUSYBOX,
    a_panic_while_the_guest_shuts_down_is_told_where_somebody_sees_it on BUSYBOX,
];

/// The shell gives no answer to that.
async fn panic(machine: &Machine) {
    let shell = machine.vm().shell();
    let panic = shell.run("echo c >/proc/sysrq-trigger");
    // In a machine that begins anew the same shell serves again, and what it was sent is lost.
    let _ = tokio::time::timeout(Duration::from_secs(1), panic).await;
    while !machine.vm().console().contains("sysrq triggered crash") {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn waits_for_a_program(guest: &Guest, machine: &Machine) -> GuestError {
    let mut program = guest.command("sleep").arg("1000").spawn().await.unwrap();
    let (waited, ()) = tokio::join!(program.wait(), async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        panic(machine).await;
    });
    waited.unwrap_err()
}

async fn a_panic_that_resets_the_machine_ends_a_program_that_is_waited_for(on: On) {
    for is_told in TOLD {
        let machine = Machine::start(on).await;
        let guest = machine.guest_told(is_told).await;
        let error = waits_for_a_program(&guest, &machine).await;
        assert!(error.is_agent_gone() || error.is_timeout(), "{error:?}");
        machine.vm().monitor().event("RESET", 1).await.unwrap();
        guest.wait_ready(&ready()).await.unwrap();
    }
}

async fn a_panic_that_leaves_the_machine_on_is_silence_that_ends_in_time(on: On) {
    let machine = Machine::start_as(on, |builder| builder.kernel_option("panic=0")).await;
    let guest = machine
        .guest_told(true)
        .await
        .within(Duration::from_secs(4));
    let error = waits_for_a_program(&guest, &machine).await;
    assert!(error.is_timeout() || error.is_deadline(), "{error:?}");
    let status = machine
        .vm()
        .monitor()
        .command("query-status", None)
        .await
        .unwrap();
    assert_eq!(status["status"], "running");
    machine.reset().await;
}

async fn a_panic_while_the_guest_shuts_down_is_told_where_somebody_sees_it(on: On) {
    for is_told in TOLD {
        let machine = Machine::start_as(on, |builder| {
            let words = ["-device", "pvpanic-pci", "-action", "panic=pause"];
            let builder = builder.kernel_option("panic=0");
            words.into_iter().fold(builder, qga_vm::VmBuilder::qemu)
        })
        .await;
        let shell = machine.vm().shell();
        shell
            .must("sed -i 's/exec $how -f/echo c >\\/proc\\/sysrq-trigger/' /sbin/shutdown")
            .await
            .unwrap();
        let guest = machine.guest_told(is_told).await;
        let time = Duration::from_secs(if is_told { 120 } else { 5 });
        let outcome = guest.shutdown().timeout(time).await.unwrap();
        let expected = [Outcome::Silent, Outcome::Panicked][usize::from(is_told)];
        assert_eq!(outcome, expected);
        machine
            .vm()
            .monitor()
            .event("GUEST_PANICKED", 1)
            .await
            .unwrap();
        let ready = Ready::ping().timeout(Duration::from_secs(2));
        let error = guest.wait_ready(&ready).await.unwrap_err();
        let GuestError::NotReady { stage, .. } = &error else {
            panic!("{error:?}");
        };
        assert_eq!(*stage, ReadyStage::Ping);
    }
}
