//! A machine with its guest and its monitor.

use std::future::poll_fn;
use std::io;
use std::task::Poll;
use std::time::Duration;

use qga_commands::guest::power::Outcome;
use qga_commands::guest::ready::Ready;
use qga_core::Power;
use qga_qmp::machine::Proof;
use qga_qmp::{Machine, MachineError};
use qga_testserver::TestMachine;
use tokio::io::AsyncReadExt as _;
use tokio::net::UnixListener;

pub(crate) async fn connect(fake: &TestMachine) -> Machine {
    Machine::connect(&*fake.agent().address(), &*fake.monitor_address())
        .await
        .unwrap()
}

async fn waits_for(machine: &Machine, power: Power) {
    while machine.state().power != power {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[track_caller]
fn assert_event(proof: &Proof, name: &str) {
    match proof {
        Proof::Event(event) => assert_eq!(event.kind.name(), name),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_guest_is_ready_when_its_agent_answers() {
    let fake = TestMachine::start().await;
    let machine = connect(&fake).await;
    machine.ready().await.unwrap();
    machine.guest().host_name().await.unwrap();
}

#[tokio::test]
async fn the_agent_is_sent_nothing_before_its_port_is_open() {
    for has_id in [true, false] {
        let fake = TestMachine::start().await;
        if !has_id {
            fake.port_without_id();
        }
        fake.set_port_open(false);
        let machine = connect(&fake).await;
        let waits = tokio::spawn(async move { machine.ready().await });
        tokio::time::sleep(Duration::from_millis(400)).await;
        assert!(!waits.is_finished());
        assert_eq!(fake.agent().requests().len(), 0, "{has_id}");
        fake.set_port_open(true);
        waits.await.unwrap().unwrap();
    }
}

/// Counted by somebody else at the socket of the agent.
#[tokio::test]
async fn no_byte_reaches_the_agents_socket_before_the_port_is_open() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("qga.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let fake = TestMachine::start().await;
    fake.set_port_open(false);
    let monitor = fake.monitor_address();
    let machine = Machine::connect(&*path, &*monitor);
    let machine = machine.await.unwrap();
    let ready = Ready::ping().timeout(Duration::from_millis(400));
    let error = machine.ready_for(&ready).await.unwrap_err();
    assert!(matches!(error, MachineError::PortClosed(_)), "{error}");

    let mut bytes = [0; 64];
    let came = poll_fn(|cx| match listener.poll_accept(cx) {
        Poll::Ready(accepted) => Poll::Ready(Some(accepted.unwrap().0)),
        Poll::Pending => Poll::Ready(None),
    });
    if let Some(client) = came.await {
        let error = client.try_read(&mut bytes).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
    }
    let waits = tokio::spawn(async move { machine.ready().await });
    fake.set_port_open(true);
    let (mut client, _) = listener.accept().await.unwrap();
    assert!(client.read(&mut bytes).await.unwrap() > 0);
    waits.abort();
}

#[tokio::test]
async fn a_port_that_stays_closed_is_told_from_an_agent_that_is_silent() {
    let fake = TestMachine::start().await;
    fake.set_port_open(false);
    let machine = connect(&fake).await;
    let ready = Ready::ping().timeout(Duration::from_millis(200));
    let error = machine.ready_for(&ready).await.unwrap_err();
    assert!(matches!(error, MachineError::PortClosed(_)), "{error}");
    assert!(error.is_timeout());
    assert_eq!(fake.agent().requests().len(), 0);
}

#[tokio::test]
async fn a_wait_ends_at_once_and_says_what_the_machine_is() {
    for power in [Power::Paused, Power::Panicked, Power::Stalled, Power::Off] {
        let fake = TestMachine::start().await;
        fake.no_shutdown();
        let machine = connect(&fake).await;
        fake.set_port_open(false);
        while machine.state().port_is_open != Some(false) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let waits = tokio::spawn({
            let machine = machine.clone();
            async move { machine.ready().await }
        });
        match power {
            Power::Paused => machine.pause().await.unwrap(),
            Power::Panicked => fake.panic(),
            Power::Stalled => fake.fill_disk(),
            _ => fake.terminate(),
        }
        let error = waits.await.unwrap().unwrap_err();
        assert_eq!(error.stopped(), Some(power), "{error}");
    }
}

#[tokio::test]
async fn outcomes_are_proven_by_their_events() {
    let fake = TestMachine::start().await;
    let machine = connect(&fake).await;
    let ending = machine.reboot().await.unwrap();
    assert_eq!(ending.outcome, Outcome::Back);
    assert_event(&ending.proof, "RESET");
    machine.ready().await.unwrap();

    let ending = machine.suspend().await.unwrap();
    assert_eq!(ending.outcome, Outcome::Suspended);
    assert_event(&ending.proof, "SUSPEND");
    machine.wakeup().await.unwrap();
    waits_for(&machine, Power::Running).await;
    machine.wakeup().await.unwrap_err();
    machine.ready().await.unwrap();

    let ending = machine.shutdown().await.unwrap();
    assert_eq!(ending.outcome, Outcome::Off);
    assert_event(&ending.proof, "SHUTDOWN");
    assert!(ending.is_proven());
}

#[tokio::test]
async fn a_halt_is_assumed() {
    let fake = TestMachine::start().await;
    let machine = connect(&fake).await;
    let halt = machine.halt().timeout(Duration::from_secs(3));
    let ending = halt.await.unwrap();
    assert_eq!(ending.outcome, Outcome::Silent);
    assert!(!ending.is_proven(), "{ending:?}");
}

#[tokio::test]
async fn a_disk_that_was_full_stalls_the_machine_until_it_is_resumed() {
    let fake = TestMachine::start().await;
    let machine = connect(&fake).await;
    fake.fill_disk();
    waits_for(&machine, Power::Stalled).await;
    fake.free_disk();
    machine.resume().await.unwrap();
    waits_for(&machine, Power::Running).await;
    machine.ready().await.unwrap();
}

#[tokio::test]
async fn a_qemu_that_was_killed_is_off_and_one_that_starts_again_is_found() {
    let fake = TestMachine::start().await;
    let machine = connect(&fake).await;
    machine.ready().await.unwrap();
    fake.kill().await;
    waits_for(&machine, Power::Off).await;
    fake.power_on().await;
    waits_for(&machine, Power::Running).await;
    machine.ready().await.unwrap();
    machine.guest().host_name().await.unwrap();
}

#[tokio::test]
async fn qemu_may_end_before_it_has_answered_that_it_ends() {
    let fake = TestMachine::start().await;
    let machine = connect(&fake).await;
    machine.quit().await.unwrap();
    waits_for(&machine, Power::Off).await;
}

#[tokio::test]
async fn a_connection_that_was_cut_off_is_opened_anew_and_the_state_asked_again() {
    let fake = TestMachine::start().await;
    let machine = connect(&fake).await;
    let before = fake.connections();
    fake.cut_off();
    while fake.connections() == before {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    waits_for(&machine, Power::Running).await;
    machine.pause().await.unwrap();
    waits_for(&machine, Power::Paused).await;
}

#[tokio::test]
async fn objects_over_several_lines_make_no_difference() {
    let fake = TestMachine::start().await;
    fake.pretty();
    let machine = connect(&fake).await;
    machine.ready().await.unwrap();
    let ending = machine.shutdown().await.unwrap();
    assert_event(&ending.proof, "SHUTDOWN");
}

#[tokio::test]
async fn agent_and_monitor_of_one_machine_are_told_from_those_of_two() {
    let (one, other) = (TestMachine::start().await, TestMachine::start().await);
    connect(&one).await.prove().await.unwrap();
    let (agent, monitor) = (other.agent().address(), one.monitor_address());
    let mixed = Machine::builder().prove(true).connect(&*agent, &*monitor);
    let error = mixed.await.unwrap_err();
    assert!(matches!(error, MachineError::NotProven(_)), "{error:?}");
}

#[tokio::test]
async fn a_client_that_holds_the_agent_is_thrown_off_when_that_is_asked_for() {
    let fake = TestMachine::start().await;
    let machine = connect(&fake).await;
    machine.free_agent().await.unwrap();
    let yanks = fake.requests_of("yank");
    assert_eq!(yanks.len(), 1);
    machine.guest().host_name().await.unwrap();
}

#[tokio::test]
async fn what_was_done_to_a_machine_is_known_when_it_is_done() {
    let fake = TestMachine::start().await;
    let machine = connect(&fake).await;
    for _ in 0..20 {
        machine.pause().await.unwrap();
        assert_eq!(machine.state().power, Power::Paused);
        machine.resume().await.unwrap();
        assert_eq!(machine.state().power, Power::Running);
        machine.ready().await.unwrap();
    }
    let before = machine.state().resets;
    machine.reset().await.unwrap();
    assert!(machine.state().resets > before);
    machine.ready().await.unwrap();
}
