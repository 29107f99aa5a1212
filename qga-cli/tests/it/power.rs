//! `qga shutdown`, `qga reboot` and `qga suspend`.

use qga_testserver::{LibvirtDaemon, TestMachine};

use crate::support::{guest, run};

#[tokio::test]
async fn the_outcome_is_waited_for_and_said() {
    for (command, words) in [
        ("shutdown", "the machine is off\n"),
        ("reboot", "an agent answers that was started since\n"),
    ] {
        let (_agent, address) = guest().await;
        let run = run(&[command, &address]).await;
        assert_eq!((run.code, &*run.stdout), (0, words), "{}", run.stderr);
    }
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
        (0, "the machine is suspended\n"),
        "{}",
        slept.stderr
    );
    agent.wake();
    let run = run(&["shutdown", &address]).await;
    assert_eq!(
        (run.code, &*run.stdout),
        (0, "the machine is off\n"),
        "{}",
        run.stderr
    );
}

#[tokio::test]
async fn the_monitor_proves_the_outcome() {
    let machine = TestMachine::start().await;
    let (agent, monitor) = (machine.agent().address(), machine.monitor_address());
    let slept = run(&["--monitor", &monitor, "suspend", &agent]).await;
    let said = (slept.code, &*slept.stdout);
    assert_eq!(said, (0, "the machine is suspended\n"), "{}", slept.stderr);
    machine.agent().wake();
    let off = run(&["shutdown", "--monitor", &monitor, &agent]).await;
    let said = (off.code, &*off.stdout);
    assert_eq!(said, (0, "the machine is off\n"), "{}", off.stderr);
}
