//! Machines that are suspended, saved, moved and started by hand, as their monitors tell it beside the agent.

use std::process::Command;

use qga_commands::guest::power::Outcome;
use qga_core::Power;
use qga_qmp::Machine;
use qga_vm::{Vm, VmBuilder};
use serde_json::json;

use crate::case::{BUSYBOX, DEBIAN, On, cases};
use crate::machine::{Machine as Started, ready};
use crate::monitored::{assert_event, monitored, start, unchanged, waits_for, with};

cases![
    a_machine_that_waits_to_be_started_is_ready_once_it_was on BUSYBOX,
    a_guest_that_obeys_the_power_button_is_off on DEBIAN,
    a_machine_that_is_terminated_is_off on BUSYBOX,
    a_hibernation_is_proven_and_switches_the_machine_off on BUSYBOX,
    a_machine_that_is_reset_while_suspended_has_to_be_resumed on BUSYBOX,
    a_pause_while_suspended_leaves_the_machine_suspended on BUSYBOX,
    a_machine_that_moves_stands_still_here_and_is_ready_there on BUSYBOX,
    a_machine_that_does_not_arrive_is_off on BUSYBOX,
];

async fn boot(on: On, with: impl FnOnce(VmBuilder) -> VmBuilder) -> (Started, Machine) {
    let vm = with(Vm::of(on.image()).second_monitor());
    let started = Started::Real(Box::new(vm.boot().await.unwrap()));
    let machine = monitored(&started).await;
    (started, machine)
}

async fn a_machine_that_waits_to_be_started_is_ready_once_it_was(on: On) {
    let (_started, machine) = boot(on, with(&["-S"])).await;
    let error = machine.ready().await.unwrap_err();
    assert_eq!(error.stopped(), Some(Power::Paused), "{error}");
    machine.resume().await.unwrap();
    machine.ready_for(&ready()).await.unwrap();
    machine.guest().host_name().await.unwrap();
}

async fn a_guest_that_obeys_the_power_button_is_off(on: On) {
    let (mut started, machine) = start(on, unchanged).await;
    machine.ready_for(&ready()).await.unwrap();
    machine.power_button().await.unwrap();
    started.ended().await;
    waits_for(&machine, Power::Off).await;
}

async fn a_machine_that_is_terminated_is_off(on: On) {
    let (mut started, machine) = start(on, unchanged).await;
    machine.ready_for(&ready()).await.unwrap();
    let process = started.vm().qemu().unwrap().to_string();
    let killed = Command::new("kill").arg(process).status().unwrap();
    assert!(killed.success());
    started.ended().await;
    waits_for(&machine, Power::Off).await;
    let error = machine.ready().await.unwrap_err();
    assert_eq!(error.stopped(), Some(Power::Off), "{error}");
}

async fn a_hibernation_is_proven_and_switches_the_machine_off(on: On) {
    let (mut started, machine) = start(on, VmBuilder::can_sleep).await;
    let hibernates = r"sed -i 's|^suspend)|hibernate) (sleep 0.2; echo disk >/sys/power/state) </dev/null >/dev/null 2>\&1 \& ;;\nsuspend)|' /bin/systemctl";
    started.run(hibernates).await;
    let swap = "umount /mnt/data && mkswap /dev/vda && swapon /dev/vda && cat /sys/block/vda/dev >/sys/power/resume";
    started.run(swap).await;
    let ending = machine.hibernate().await.unwrap();
    assert_eq!(ending.outcome, Outcome::Off);
    assert_event(&ending.proof, "SHUTDOWN");
    started.ended().await;
    started.assert_event("SUSPEND_DISK");
    let error = machine.ready().await.unwrap_err();
    assert_eq!(error.stopped(), Some(Power::Off), "{error}");
}

async fn sleeping(on: On) -> (Started, Machine) {
    let (started, machine) = start(on, VmBuilder::can_sleep).await;
    let ending = machine.suspend().await.unwrap();
    assert_eq!(ending.outcome, Outcome::Suspended);
    (started, machine)
}

async fn a_machine_that_is_reset_while_suspended_has_to_be_resumed(on: On) {
    let (_started, machine) = sleeping(on).await;
    machine.reset().await.unwrap();
    waits_for(&machine, Power::Paused).await;
    let error = machine.ready().await.unwrap_err();
    assert_eq!(error.stopped(), Some(Power::Paused), "{error}");
    machine.resume().await.unwrap();
    machine.ready_for(&ready()).await.unwrap();
    machine.guest().host_name().await.unwrap();
}

async fn a_pause_while_suspended_leaves_the_machine_suspended(on: On) {
    let (_started, machine) = sleeping(on).await;
    machine.pause().await.unwrap();
    assert_eq!(machine.state().power, Power::Suspended);
    machine.wakeup().await.unwrap();
    waits_for(&machine, Power::Running).await;
    machine.ready_for(&ready()).await.unwrap();
    machine.guest().host_name().await.unwrap();
}

async fn a_machine_that_moves_stands_still_here_and_is_ready_there(on: On) {
    let (here, machine) = start(on, unchanged).await;
    machine.ready_for(&ready()).await.unwrap();
    // The other one has a disk of its own.
    here.run("umount /mnt/data").await;
    let (there, arriving) = boot(on, with(&["-incoming", "defer"])).await;
    let way = format!("unix:{}", there.vm().folder().join("way").display());
    let way = || Some(json!({ "uri": &way }));
    there
        .vm()
        .monitor()
        .command("migrate-incoming", way())
        .await
        .unwrap();
    let patience = ready();
    let (waited, ()) = tokio::join!(arriving.ready_for(&patience), async {
        here.vm().monitor().command("migrate", way()).await.unwrap();
        waits_for(&machine, Power::Paused).await;
    });
    waited.unwrap();
    arriving.guest().host_name().await.unwrap();
    let error = machine.guest().host_name().await.unwrap_err();
    assert_eq!(
        qga_qmp::MachineError::from(error).stopped(),
        Some(Power::Paused)
    );
    drop((there, arriving));
    machine.resume().await.unwrap();
    machine.ready_for(&ready()).await.unwrap();
    machine.guest().host_name().await.unwrap();
}

async fn a_machine_that_does_not_arrive_is_off(on: On) {
    let (mut started, machine) = boot(on, with(&["-incoming", "defer"])).await;
    let patience = ready();
    let (waited, ()) = tokio::join!(machine.ready_for(&patience), async {
        let way = json!({ "uri": "exec:head -c 10 /dev/zero" });
        let monitor = started.vm().monitor();
        let _ = monitor.command("migrate-incoming", Some(way)).await;
    });
    let error = waited.unwrap_err();
    assert_eq!(error.stopped(), Some(Power::Off), "{error}");
    started.ended().await;
}
