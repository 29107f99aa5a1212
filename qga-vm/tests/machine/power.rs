//! A guest that is shut down or halted.

use std::time::Duration;

use qga_commands::commands::agent::Ping;
use qga_commands::guest::power::Outcome;
use qga_core::{Execution, NoReply};
use qga_testserver::Power;

use crate::case::{BUSYBOX, EVERY, MACHINES, On, cases};
use crate::machine::{Machine, ready};
use crate::raw::Raw;

cases![
    a_shutdown_ends_when_the_machine_is_off on EVERY,
    a_shutdown_has_no_reply_and_the_channel_ends_after_a_while on EVERY,
    that_a_shutdown_was_sent_is_known_without_its_outcome on EVERY,
    a_halt_ends_in_silence_and_the_machine_runs_on on EVERY,
    a_shutdown_that_fails_is_an_error_and_the_guest_runs_on on EVERY,
    a_machine_that_is_kept_when_it_is_off_is_silent_unless_somebody_tells on BUSYBOX,
    a_reboot_that_ends_the_machine_is_told_as_its_end on BUSYBOX,
    a_ping_behind_a_shutdown_is_no_sign_that_it_does_not_happen on MACHINES,
];

pub(crate) const TOLD: [bool; 2] = [false, true];

async fn a_shutdown_ends_when_the_machine_is_off(on: On) {
    for is_told in TOLD {
        let mut machine = Machine::start(on).await;
        let guest = machine.guest_told(is_told).await;
        assert_eq!(guest.shutdown().await.unwrap(), Outcome::Off, "{is_told}");
        machine.ended().await;
        machine.assert_event("SHUTDOWN");
        let error = guest.execute(Ping).await.unwrap_err();
        assert_eq!(error.execution(), Execution::NotRun, "{error}");
        let error = guest.shutdown().await.unwrap_err();
        assert_eq!(error.execution(), Execution::NotRun, "{error}");
    }
}

async fn a_shutdown_has_no_reply_and_the_channel_ends_after_a_while(on: On) {
    let mut machine = Machine::start(on).await;
    if let Machine::Fake(agent) = &machine {
        agent.edit_guest(|guest| guest.stop_milliseconds = 200);
    }
    let mut client = Raw::connect(&machine.address()).await;
    client.send("guest-ping", "", 1).await;
    client
        .send("guest-shutdown", r#""mode":"powerdown""#, 2)
        .await;
    client.send("guest-ping", "", 3).await;
    assert_eq!(client.ids_to_the_end().await, [1, 3]);
    machine.ended().await;
}

async fn that_a_shutdown_was_sent_is_known_without_its_outcome(on: On) {
    let mut machine = Machine::start(on).await;
    let guest = machine.guest_told(false).await;
    let heard = guest.shutdown().send().await.unwrap();
    assert!(
        matches!(heard, NoReply::Silent | NoReply::Closed),
        "{heard:?}"
    );
    machine.ended().await;
}

async fn a_halt_ends_in_silence_and_the_machine_runs_on(on: On) {
    for is_told in TOLD {
        let machine = Machine::start(on).await;
        let guest = machine.guest_told(is_told).await;
        assert_eq!(guest.halt().await.unwrap(), Outcome::Silent, "{is_told}");
        match &machine {
            Machine::Fake(agent) => assert_eq!(agent.machine().borrow().power, Power::Halted),
            Machine::Real(_) | Machine::Domain(_) => {
                let vm = machine.vm();
                vm.monitor().agent_port(false).await.unwrap();
                let status = vm.monitor().command("query-status", None).await.unwrap();
                assert_eq!(status["status"], "running");
            }
        }
        if on == On::Debian {
            // It takes long to start.
            continue;
        }
        machine.reset().await;
        guest.wait_ready(&ready()).await.unwrap();
    }
}

async fn a_shutdown_that_fails_is_an_error_and_the_guest_runs_on(on: On) {
    let machine = Machine::start(on).await;
    let guest = machine.guest_that_may_fail().await;
    let text = "child process has failed to shutdown";
    match &machine {
        Machine::Fake(agent) => agent.on("guest-shutdown").error("GenericError", text),
        Machine::Real(_) | Machine::Domain(_) => {
            let vm = machine.vm();
            let shell = vm.shell();
            shell
                .must("mount --bind /bin/false /sbin/shutdown")
                .await
                .unwrap();
        }
    }
    for shutdown in [guest.shutdown(), guest.halt(), guest.reboot()] {
        let error = shutdown.await.unwrap_err();
        let said = error.agent_error().unwrap_or_else(|| panic!("{error:?}"));
        assert!(said.desc.contains(text), "{said:?}");
        guest.execute(Ping).await.unwrap();
    }
    let error = guest.shutdown().send().await.unwrap_err();
    assert!(error.agent_error().is_some(), "{error:?}");
    // The file that each of them had open is closed, and nothing else was changed.
    guest.read("/etc/hostname").await.unwrap();
    if let Machine::Fake(agent) = &machine {
        assert!(agent.open_handles().is_empty());
    }
}

async fn a_machine_that_is_kept_when_it_is_off_is_silent_unless_somebody_tells(on: On) {
    for is_told in TOLD {
        let machine = Machine::start_as(on, |builder| builder.qemu("-no-shutdown")).await;
        let guest = machine.guest_told(is_told).await;
        let time = Duration::from_secs(if is_told { 120 } else { 5 });
        let outcome = guest.shutdown().timeout(time).await.unwrap();
        let expected = if is_told {
            Outcome::Off
        } else {
            Outcome::Silent
        };
        assert_eq!(outcome, expected);
        let monitor = machine.vm().monitor();
        monitor.event("SHUTDOWN", 1).await.unwrap();
        let status = monitor.command("query-status", None).await.unwrap();
        assert_eq!(status["status"], "shutdown");
    }
}

async fn a_reboot_that_ends_the_machine_is_told_as_its_end(on: On) {
    for is_told in TOLD {
        let mut machine = Machine::start_as(on, |builder| builder.qemu("-no-reboot")).await;
        let guest = machine.guest_told(is_told).await;
        let outcome = guest.reboot().timeout(Duration::from_secs(10)).await;
        assert_eq!(outcome.unwrap(), Outcome::Off, "{is_told}");
        machine.ended().await;
    }
}

/// Services stop first, and the agent answers for as long as that takes.
async fn a_ping_behind_a_shutdown_is_no_sign_that_it_does_not_happen(on: On) {
    let mut machine = Machine::start(on).await;
    let slow = match on {
        On::Debian => {
            "systemd-run --property=After=qemu-guest-agent.service --property=KillSignal=SIGCONT \
             --property=TimeoutStopSec=3 sleep 1000"
        }
        _ => "sed -i 's/sleep 0.2;/sleep 3;/' /sbin/shutdown",
    };
    machine.vm().shell().must(slow).await.unwrap();
    let guest = machine.guest_told(false).await;
    let (outcome, answered) = tokio::join!(guest.shutdown().into_future(), async {
        let watcher = machine.vm().monitor().event("SHUTDOWN", 1);
        tokio::pin!(watcher);
        let mut answered = 0;
        loop {
            tokio::select! {
                _ = &mut watcher => return answered,
                () = tokio::time::sleep(Duration::from_millis(100)) => {}
            }
            answered += usize::from(guest.execute(Ping).await.is_ok());
        }
    });
    assert_eq!(outcome.unwrap(), Outcome::Off);
    assert!(answered > 0);
    machine.ended().await;
}
