//! `qga snapshot`, and `qga wait` with a monitor.

use qga_testserver::TestMachine;
use serde_json::Value;

use crate::support::run;

#[tokio::test]
async fn the_disks_of_a_frozen_guest_are_copied_and_the_guest_is_thawed() {
    let machine = TestMachine::start().await;
    let (agent, monitor) = (machine.agent().address(), machine.monitor_address());
    let words = [
        "snapshot",
        &agent,
        "--monitor",
        &monitor,
        "--disk",
        "drive0=/vm/new.qcow2",
    ];
    let run = run(&[&["-o", "json"], &words[..]].concat()).await;
    assert_eq!(run.code, 0, "{}", run.stderr);
    let value: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(value["snapshot"]["disks"][0]["file"], "/vm/new.qcow2");
    assert!(value["snapshot"]["frozen_seconds"].is_f64(), "{value}");
    let taken = machine.snapshots();
    assert!(taken.len() == 1 && taken[0].is_frozen, "{taken:?}");
    assert_eq!(machine.agent().requests_of("guest-fsfreeze-thaw").len(), 1);
}

#[tokio::test]
async fn a_snapshot_that_fails_is_no_success_and_the_guest_is_thawed() {
    let machine = TestMachine::start().await;
    let (agent, monitor) = (machine.agent().address(), machine.monitor_address());
    for disk in ["nodisk=/vm/new.qcow2", "nonsense"] {
        let failed = run(&["snapshot", &agent, "--monitor", &monitor, "--disk", disk]).await;
        assert_eq!(failed.code, 125, "{disk}: {}", failed.stderr);
    }
    let without = run(&["snapshot", &agent, "--disk", "drive0=/vm/new.qcow2"]).await;
    assert!(
        without.code == 125 && without.stderr.contains("--monitor"),
        "{}",
        without.stderr
    );
    assert!(machine.snapshots().is_empty());
    let status = run(&["raw", &agent, "guest-fsfreeze-status"]).await;
    assert!(status.stdout.contains("thawed"), "{}", status.stdout);
}

#[tokio::test]
async fn for_a_guest_of_libvirt_it_is_said_what_takes_its_snapshots() {
    for address in [
        "libvirt:vm1",
        "libvirt:///system/vm1",
        "libvirt-channel:vm1",
    ] {
        let failed = run(&["snapshot", address, "--disk", "vda=/vm/new.qcow2"]).await;
        assert_eq!(failed.code, 125, "{address}");
        let said = &failed.stderr;
        assert!(said.contains("virsh snapshot-create-as"), "{said}");
        assert!(said.contains("--quiesce"), "{said}");
    }
    let help = run(&["snapshot", "--help"]).await.stdout;
    assert!(help.contains("virsh snapshot-create-as"), "{help}");
}

#[tokio::test]
async fn what_a_monitor_needs_for_a_wait_is_in_the_help() {
    let help = run(&["wait", "--help"]).await.stdout;
    assert!(help.contains("virtserialport,id="), "{help}");
}

#[tokio::test]
async fn a_wait_with_a_monitor_ends_at_once_where_the_machine_does_not_run() {
    let machine = TestMachine::start().await;
    let (agent, monitor) = (machine.agent().address(), machine.monitor_address());
    let waited = run(&["wait", &agent, "--monitor", &monitor]).await;
    assert_eq!(waited.code, 0, "{}", waited.stderr);
    machine.fill_disk();
    let waited = run(&["wait", &agent, "--monitor", &monitor, "--timeout", "1h"]).await;
    assert!(
        waited.code == 125 && waited.stderr.contains("stands still"),
        "{}",
        waited.stderr
    );
}
