//! `qga shutdown`, `qga reboot` and `qga suspend`.

use qga_testserver::{LibvirtDaemon, TestMachine};

use crate::support::{Run, guest, run};

#[tokio::test]
async fn the_outcome_is_waited_for_and_said() {
    for (command, words) in [
        ("shutdown", "the machine is off"),
        ("reboot", "an agent answers that was started since"),
    ] {
        let (_agent, address) = guest().await;
        let run = run(&[command, &address]).await;
        let said = format!("{words} (assumed: only the agent's channel shows it)\n");
        assert_eq!((run.code, run.stdout), (0, said), "{}", run.stderr);
    }
    let (_agent, address) = guest().await;
    let run = run(&["shutdown", &address, "-o", "json"]).await;
    let said =
        serde_json::json!({"version": 1, "outcome": "off", "proof": "assumed", "event": null});
    assert_eq!(json(&run), said);
}

fn json(run: &Run) -> serde_json::Value {
    serde_json::from_str(&run.stdout).unwrap()
}

#[tokio::test]
async fn what_was_not_seen_to_work_is_no_success() {
    let (agent, address) = guest().await;
    agent.on("guest-shutdown").reply(serde_json::json!({}));
    let run = run(&["shutdown", "--timeout", "1s", &address]).await;
    assert_eq!(run.code, 124, "{}: {}", run.stdout, run.stderr);
}

#[tokio::test]
async fn nothing_is_waited_for_where_that_was_said() {
    let (agent, address) = guest().await;
    let run = run(&["-o", "json", "suspend", "--no-wait", &address]).await;
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert_eq!(agent.requests_of("guest-suspend-ram").len(), 1);
}

#[tokio::test]
async fn libvirt_proves_the_outcome() {
    let (agent, _) = guest().await;
    let daemon = LibvirtDaemon::start();
    daemon.domain("vm1", &agent);
    let address = daemon.address("vm1");
    let info = run(&["info", &address]).await;
    assert_eq!(info.code, 0, "{}", info.stderr);
    let slept = run(&["suspend", &address]).await;
    assert_eq!(
        (slept.code, &*slept.stdout),
        (0, "the machine is suspended (proven: its host says so)\n"),
        "{}",
        slept.stderr
    );
    agent.wake();
    let run = run(&["shutdown", &address]).await;
    assert_eq!(
        (run.code, &*run.stdout),
        (0, "the machine is off (proven: its host says so)\n"),
        "{}",
        run.stderr
    );
}

#[tokio::test]
async fn the_monitor_proves_the_outcome_by_an_event_which_is_named() {
    let machine = TestMachine::start().await;
    let (agent, monitor) = (machine.agent().address(), machine.monitor_address());
    for (command, outcome, event) in [
        ("reboot", "back", "RESET"),
        ("suspend", "suspended", "SUSPEND"),
        ("shutdown", "off", "SHUTDOWN"),
    ] {
        let run = run(&["--monitor", &monitor, command, &agent, "-o", "json"]).await;
        assert_eq!(run.code, 0, "{command}: {}", run.stderr);
        let said =
            serde_json::json!({"version": 1, "outcome": outcome, "proof": "event", "event": event});
        assert_eq!(json(&run), said, "{command}");
        if command == "suspend" {
            machine.agent().wake();
        }
    }
    machine.power_on().await;
    let run = run(&["shutdown", "--monitor", &monitor, &agent]).await;
    let said = (run.code, &*run.stdout);
    let words = "the machine is off (proven: QEMU has told SHUTDOWN)\n";
    assert_eq!(said, (0, words), "{}", run.stderr);
}

#[tokio::test]
async fn an_outcome_that_the_monitor_does_not_tell_is_no_success() {
    let machine = TestMachine::start().await;
    let (agent, monitor) = (machine.agent().address(), machine.monitor_address());
    let ignored = machine.agent().on("guest-shutdown");
    ignored.reply(serde_json::json!({}));
    let words = ["shutdown", "--monitor", &monitor, &agent, "--timeout", "1s"];
    let run = run(&words).await;
    assert_eq!(run.code, 124, "{}", run.stderr);
    assert!(run.stdout.contains("(assumed"), "{}", run.stdout);
}
