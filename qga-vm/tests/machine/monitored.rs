//! What becomes of a machine, as its monitor tells it beside the agent.

use std::time::Duration;

use qga_commands::guest::power::Outcome;
use qga_core::Power;
use qga_qmp::machine::Proof;
use qga_qmp::{EventKind, Machine, MachineError};
use qga_vm::{Channel, VmBuilder};
use tokio::io::AsyncReadExt;
use tokio::net::UnixStream;

use crate::case::{BUSYBOX, On, cases};
use crate::machine::{Machine as Started, ready};
use crate::relay::Relay;

cases![
    a_shutdown_is_proven_by_its_event on BUSYBOX,
    a_shutdown_of_a_qemu_that_stays_is_proven_too on BUSYBOX,
    a_halt_is_assumed_since_nobody_tells_of_it on BUSYBOX,
    a_reboot_is_proven_by_its_event on BUSYBOX,
    a_reboot_that_switches_the_machine_off_is_told_to_be_that on BUSYBOX,
    a_suspend_is_proven_and_a_wakeup_brings_the_agent_back on BUSYBOX,
    a_paused_machine_is_not_waited_for_and_is_ready_once_it_is_resumed on BUSYBOX,
    a_reset_is_told_and_the_guest_is_ready_again on BUSYBOX,
    the_end_of_qemu_is_off_whoever_has_ended_it on BUSYBOX,
    a_panic_ends_a_wait_where_the_guest_tells_of_it on BUSYBOX,
    a_panic_that_nobody_tells_of_is_not_known on BUSYBOX,
    a_power_button_is_pressed_and_not_waited_for on BUSYBOX,
    a_guest_that_boots_is_ready_once_it_has_opened_its_port on BUSYBOX,
    a_port_without_an_id_is_asked_for on BUSYBOX,
    a_client_that_hangs_is_thrown_off_the_agent on BUSYBOX,
    agent_and_monitor_of_one_machine_are_told_from_those_of_two on BUSYBOX,
    the_uuid_that_a_guest_reads_proves_whose_agent_it_has on BUSYBOX,
    a_machine_that_was_saved_and_loaded_is_known_again on BUSYBOX,
];

pub(crate) async fn start(on: On, with: impl FnOnce(VmBuilder) -> VmBuilder) -> (Started, Machine) {
    let started = Started::start_as(on, |builder| with(builder.second_monitor())).await;
    let machine = monitored(&started).await;
    (started, machine)
}

pub(crate) async fn monitored(started: &Started) -> Machine {
    let monitor = started.vm().second_monitor();
    Machine::connect(&*started.address(), &*monitor)
        .await
        .unwrap()
}

pub(crate) fn unchanged(builder: VmBuilder) -> VmBuilder {
    builder
}

pub(crate) fn with(words: &'static [&str]) -> impl FnOnce(VmBuilder) -> VmBuilder {
    |builder| {
        words
            .iter()
            .fold(builder, |builder, word| builder.qemu(word))
    }
}

#[track_caller]
pub(crate) fn assert_event(proof: &Proof, name: &str) {
    match proof {
        Proof::Event(event) => assert_eq!(event.kind.name(), name),
        other => panic!("{other:?}"),
    }
}

pub(crate) async fn waits_for(machine: &Machine, power: Power) {
    while machine.state().power != power {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn a_shutdown_is_proven_by_its_event(on: On) {
    let (mut started, machine) = start(on, unchanged).await;
    let ending = machine.shutdown().await.unwrap();
    assert_eq!(ending.outcome, Outcome::Off);
    assert_event(&ending.proof, "SHUTDOWN");
    started.ended().await;
    let error = machine.ready().await.unwrap_err();
    assert_eq!(error.stopped(), Some(Power::Off), "{error}");
}

async fn a_shutdown_of_a_qemu_that_stays_is_proven_too(on: On) {
    let (_started, machine) = start(on, with(&["-no-shutdown"])).await;
    let ending = machine.shutdown().await.unwrap();
    assert_eq!(ending.outcome, Outcome::Off);
    assert_event(&ending.proof, "SHUTDOWN");
    machine.resume().await.unwrap_err();
    machine.reset().await.unwrap();
    waits_for(&machine, Power::Paused).await;
    machine.resume().await.unwrap();
    machine.ready_for(&ready()).await.unwrap();
}

async fn a_halt_is_assumed_since_nobody_tells_of_it(on: On) {
    let (_started, machine) = start(on, unchanged).await;
    let ending = machine.halt().await.unwrap();
    assert_eq!(ending.outcome, Outcome::Silent);
    assert!(!ending.is_proven(), "{ending:?}");
    assert_eq!(machine.state().power, Power::Running);
}

async fn a_reboot_is_proven_by_its_event(on: On) {
    let (_started, machine) = start(on, unchanged).await;
    let ending = machine.reboot().await.unwrap();
    assert_eq!(ending.outcome, Outcome::Back);
    assert_event(&ending.proof, "RESET");
    machine.guest().host_name().await.unwrap();
}

async fn a_reboot_that_switches_the_machine_off_is_told_to_be_that(on: On) {
    let (mut started, machine) = start(on, with(&["-no-reboot"])).await;
    let ending = machine.reboot().await.unwrap();
    assert_eq!(ending.outcome, Outcome::Off);
    assert_event(&ending.proof, "SHUTDOWN");
    started.ended().await;
}

async fn a_suspend_is_proven_and_a_wakeup_brings_the_agent_back(on: On) {
    let (_started, machine) = start(on, VmBuilder::can_sleep).await;
    let ending = machine.suspend().await.unwrap();
    assert_eq!(ending.outcome, Outcome::Suspended);
    assert_event(&ending.proof, "SUSPEND");
    let error = machine.ready().await.unwrap_err();
    assert_eq!(error.stopped(), Some(Power::Suspended));
    machine.wakeup().await.unwrap();
    waits_for(&machine, Power::Running).await;
    machine.ready_for(&ready()).await.unwrap();
    machine.wakeup().await.unwrap_err();
}

async fn a_paused_machine_is_not_waited_for_and_is_ready_once_it_is_resumed(on: On) {
    let (_started, machine) = start(on, unchanged).await;
    machine.ready().await.unwrap();
    machine.pause().await.unwrap();
    waits_for(&machine, Power::Paused).await;
    let error = machine.ready().await.unwrap_err();
    assert_eq!(error.stopped(), Some(Power::Paused));
    machine.resume().await.unwrap();
    waits_for(&machine, Power::Running).await;
    machine.ready_for(&ready()).await.unwrap();
}

async fn a_reset_is_told_and_the_guest_is_ready_again(on: On) {
    let (_started, machine) = start(on, unchanged).await;
    machine.guest().host_name().await.unwrap();
    machine.reset().await.unwrap();
    while machine.state().resets == 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    machine.ready_for(&ready()).await.unwrap();
    machine.guest().host_name().await.unwrap();
}

async fn the_end_of_qemu_is_off_whoever_has_ended_it(on: On) {
    let (mut started, machine) = start(on, unchanged).await;
    let mut events = machine.monitor().events();
    machine.quit().await.unwrap();
    started.ended().await;
    waits_for(&machine, Power::Off).await;
    let told = loop {
        match events.next().await {
            Some(Ok(event)) => {
                if let EventKind::Shutdown(shutdown) = event.kind {
                    break shutdown;
                }
            }
            other => panic!("{other:?}"),
        }
    };
    assert!(!told.guest);

    // Nothing is told by one that is killed.
    let (started, machine) = start(on, unchanged).await;
    let Started::Real(mut vm) = started else {
        unreachable!("it runs on machines");
    };
    vm.kill().unwrap();
    waits_for(&machine, Power::Off).await;
    let error = machine.ready().await.unwrap_err();
    assert_eq!(error.stopped(), Some(Power::Off));
}

/// The shell gives no answer to that.
pub(crate) async fn panics(started: &Started) {
    let shell = started.vm().shell();
    let panic = shell.run("echo c >/proc/sysrq-trigger");
    let _ = tokio::time::timeout(Duration::from_secs(1), panic).await;
}

async fn a_panic_ends_a_wait_where_the_guest_tells_of_it(on: On) {
    for action in ["panic=pause", "panic=none", "panic=shutdown"] {
        let (started, machine) = start(on, |builder| {
            let words = ["-device", "pvpanic-pci", "-action", action];
            let builder = builder.kernel_option("panic=0");
            words.into_iter().fold(builder, VmBuilder::qemu)
        })
        .await;
        machine.ready_for(&ready()).await.unwrap();
        panics(&started).await;
        waits_for(&machine, Power::Panicked).await;
        let error = machine.ready().await.unwrap_err();
        assert_eq!(error.stopped(), Some(Power::Panicked), "{action}: {error}");
    }
}

async fn a_panic_that_nobody_tells_of_is_not_known(on: On) {
    let (started, machine) = start(on, |builder| builder.kernel_option("panic=0")).await;
    panics(&started).await;
    let time = Duration::from_secs(3);
    let error = machine.ready_for(&ready().timeout(time)).await.unwrap_err();
    assert!(error.is_timeout(), "{error}");
    let state = machine.state();
    assert_eq!(
        (state.power, state.port_is_open),
        (Power::Running, Some(true))
    );
}

async fn a_power_button_is_pressed_and_not_waited_for(on: On) {
    let (_started, machine) = start(on, unchanged).await;
    let mut events = machine.monitor().events();
    machine.power_button().await.unwrap();
    let event = events.next().await.unwrap().unwrap();
    assert!(matches!(event.kind, EventKind::Powerdown), "{event:?}");
}

async fn a_guest_that_boots_is_ready_once_it_has_opened_its_port(on: On) {
    let vm = qga_vm::Vm::of(on.image()).second_monitor();
    let vm = vm.boot().await.unwrap();
    let relay = Relay::to(vm.socket());
    let (agent, monitor) = (relay.address(), vm.second_monitor());
    let machine = Machine::connect(&*agent, &*monitor);
    let machine = machine.await.unwrap();
    assert_eq!(machine.state().port_is_open, Some(false));
    let patience = ready();
    let (waited, ()) = tokio::join!(machine.ready_for(&patience), async {
        loop {
            let sent = relay.sent();
            if machine.state().port_is_open == Some(true) {
                break;
            }
            assert_eq!(sent, 0);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    waited.unwrap();
    assert!(relay.sent() > 0);
    machine.guest().host_name().await.unwrap();
}

async fn a_port_without_an_id_is_asked_for(on: On) {
    let (_started, machine) = start(on, VmBuilder::port_without_id).await;
    let port = machine.monitor().agent_port().await.unwrap().unwrap();
    assert_eq!((port.id, port.chardev.as_str()), (None, "agent"));
    machine.ready_for(&ready()).await.unwrap();
    machine.reset().await.unwrap();
    while machine.state().port_is_open != Some(false) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    machine.ready_for(&ready()).await.unwrap();
}

async fn a_client_that_hangs_is_thrown_off_the_agent(on: On) {
    let (started, machine) = start(on, unchanged).await;
    let mut hangs = UnixStream::connect(started.vm().socket()).await.unwrap();
    let waits = machine.guest().clone();
    let waits = tokio::spawn(async move { waits.host_name().await });
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!waits.is_finished());
    machine.free_agent().await.unwrap();
    assert_eq!(hangs.read(&mut [0; 16]).await.unwrap_or_default(), 0);
    waits.await.unwrap().unwrap();
}

async fn agent_and_monitor_of_one_machine_are_told_from_those_of_two(on: On) {
    let (started, machine) = start(on, unchanged).await;
    machine.prove().await.unwrap();
    let (other, another) = start(on, unchanged).await;
    // One who holds a monitor is its only client.
    drop((machine, another));
    let monitor = started.vm().second_monitor();
    let mixed = Machine::connect(&*other.address(), &*monitor).await;
    let error = mixed.unwrap().prove().await.unwrap_err();
    assert!(matches!(error, MachineError::NotProven(_)), "{error:?}");
}

async fn the_uuid_that_a_guest_reads_proves_whose_agent_it_has(on: On) {
    // By TCP it is not seen here at whose socket the agent is.
    let by_tcp = |builder: VmBuilder| builder.channel(Channel::VirtioTcp);
    let with_uuid = |uuid| move |builder| by_tcp(builder).qemu("-uuid").qemu(uuid);
    let first = "6b2f4a52-0c1e-4a7e-9d3f-0123456789ab";
    let second = "6b2f4a52-0c1e-4a7e-9d3f-0123456789ac";
    let (started, machine) = start(on, with_uuid(first)).await;
    machine.prove().await.unwrap();
    let (other, another) = start(on, with_uuid(second)).await;
    another.prove().await.unwrap();
    drop((machine, another));
    let monitor = started.vm().second_monitor();
    let crossed = Machine::connect(&*other.address(), &*monitor).await;
    let error = crossed.unwrap().prove().await.unwrap_err();
    assert!(matches!(error, MachineError::NotProven(_)), "{error:?}");
    assert!(
        error.to_string().contains(first) && error.to_string().contains(second),
        "{error}"
    );

    let (_started, machine) = start(on, by_tcp).await;
    let error = machine.prove().await.unwrap_err();
    assert!(error.to_string().contains("-uuid"), "{error}");
}

async fn a_machine_that_was_saved_and_loaded_is_known_again(on: On) {
    let (started, machine) = start(on, unchanged).await;
    machine.ready_for(&ready()).await.unwrap();
    started.vm().monitor().human("savevm one").await.unwrap();
    waits_for(&machine, Power::Running).await;
    started.vm().monitor().human("loadvm one").await.unwrap();
    waits_for(&machine, Power::Running).await;
    machine.ready_for(&ready()).await.unwrap();
    machine.guest().host_name().await.unwrap();
}
