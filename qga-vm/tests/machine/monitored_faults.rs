//! What goes wrong with a machine, as its monitor tells it beside the agent.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use qga_core::Power;
use qga_qmp::commands::dump::DumpGuestMemory;
use qga_qmp::{EventKind, Machine, MachineError};
use qga_vm::VmBuilder;
use serde_json::json;

use crate::case::{BUSYBOX, On, cases};
use crate::machine::{Machine as Started, ready};
use crate::monitored::{panics, start, unchanged, waits_for, with};

cases![
    a_machine_whose_hosts_disk_is_full_stands_still_until_it_is_resumed on BUSYBOX,
    a_disk_that_cannot_be_read_stops_the_machine_where_qemu_was_told_to on BUSYBOX,
    a_panic_that_resets_the_machine_is_a_reset on BUSYBOX,
    a_panic_that_qemu_exits_with_is_told on BUSYBOX,
    a_guest_that_has_panicked_is_dumped_and_has_to_be_reset on BUSYBOX,
    a_crash_kernel_that_takes_over_is_a_panic_until_it_resets_the_machine on BUSYBOX,
    an_agent_that_is_killed_is_missed_until_the_next_has_the_port on BUSYBOX,
    an_agent_that_is_stopped_keeps_its_port_and_does_not_answer on BUSYBOX,
];

/// Puts a file below the guest's disk on which the next operation of this kind fails once, as a host's disk would have it.
pub(crate) async fn fails_once(started: &Started, operation: &str, errno: u32) {
    let file = started.vm().folder().join("faulty.qcow2");
    make_disk(&file);
    let monitor = started.vm().monitor();
    let blocks = monitor.command("query-block", None).await.unwrap();
    let disk = &blocks.as_array().unwrap()[0]["inserted"]["node-name"];
    let fault = json!({ "event": operation, "errno": errno, "once": true });
    let image = json!({ "driver": "file", "filename": file });
    let image = json!({ "driver": "blkdebug", "image": image, "inject-error": [fault] });
    let faulty =
        json!({ "driver": "qcow2", "node-name": "faulty", "file": image, "backing": null });
    monitor.command("blockdev-add", Some(faulty)).await.unwrap();
    let above = json!({ "node": disk, "overlay": "faulty" });
    monitor
        .command("blockdev-snapshot", Some(above))
        .await
        .unwrap();
}

fn make_disk(file: &Path) {
    let output = Command::new("qemu-img")
        .args(["create", "-q", "-f", "qcow2"])
        .arg(file)
        .arg("192M")
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
}

async fn a_machine_whose_hosts_disk_is_full_stands_still_until_it_is_resumed(on: On) {
    const FULL: u32 = 28;
    let (started, machine) = start(on, unchanged).await;
    fails_once(&started, "write_aio", FULL).await;
    let mut events = machine.monitor().events();
    let write = "echo kept >/mnt/data/file && sync && cat /mnt/data/file";
    let written = while_it_stands_still(&started, &machine, write).await;
    assert_eq!(written, "kept\n");
    let error = loop {
        if let EventKind::BlockIoError(error) = events.next().await.unwrap().unwrap().kind {
            break error;
        }
    };
    assert_eq!(error.nospace, Some(true));
}

async fn a_disk_that_cannot_be_read_stops_the_machine_where_qemu_was_told_to(on: On) {
    const IO: u32 = 5;
    let (started, machine) = start(on, with(&["-set", "drive.data.rerror=stop"])).await;
    fails_once(&started, "read_aio", IO).await;
    let read = "dd if=/dev/zero of=/mnt/data/file bs=64k count=4 && sync \
                && echo 3 >/proc/sys/vm/drop_caches && wc -c </mnt/data/file";
    let read = while_it_stands_still(&started, &machine, read).await;
    assert!(read.ends_with("262144\n"), "{read}");
}

/// Runs a line by which the machine comes to a stand, and resumes it. Meanwhile the agent is not waited for.
async fn while_it_stands_still(started: &Started, machine: &Machine, line: &str) -> String {
    let guest = machine.guest();
    let mut program = guest.command("sleep").arg("1000").spawn().await.unwrap();
    let (printed, waited) = tokio::join!(started.shell().must(line), async {
        let waited = program.wait().await;
        let ready = machine.ready().await.unwrap_err();
        assert_eq!(ready.stopped(), Some(Power::Stalled), "{ready}");
        machine.resume().await.unwrap();
        waited
    });
    let waited = MachineError::from(waited.unwrap_err());
    assert_eq!(waited.stopped(), Some(Power::Stalled), "{waited}");
    machine.ready_for(&ready()).await.unwrap();
    assert_eq!(machine.state().power, Power::Running);
    program.kill().await.unwrap();
    printed.unwrap()
}

async fn a_panic_that_resets_the_machine_is_a_reset(on: On) {
    let (started, machine) = start(on, unchanged).await;
    machine.guest().host_name().await.unwrap();
    panics(&started).await;
    while machine.state().resets == 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    machine.ready_for(&ready()).await.unwrap();
    machine.guest().host_name().await.unwrap();
}

/// The kernel waits after a panic, and the device tells of it.
fn tells_of_panics(action: &'static str) -> impl FnOnce(VmBuilder) -> VmBuilder {
    move |builder| {
        let builder = builder.kernel_option("panic=0");
        let words = ["-device", "pvpanic-pci", "-action", action];
        words.into_iter().fold(builder, VmBuilder::qemu)
    }
}

async fn a_panic_that_qemu_exits_with_is_told(on: On) {
    let (mut started, machine) = start(on, tells_of_panics("panic=exit-failure")).await;
    machine.ready_for(&ready()).await.unwrap();
    panics(&started).await;
    started.ended().await;
    waits_for(&machine, Power::Panicked).await;
    let error = machine.ready().await.unwrap_err();
    assert_eq!(error.stopped(), Some(Power::Panicked), "{error}");
}

async fn a_guest_that_has_panicked_is_dumped_and_has_to_be_reset(on: On) {
    let (started, machine) = start(on, |builder| {
        tells_of_panics("panic=shutdown")(builder).qemu("-no-shutdown")
    })
    .await;
    machine.ready_for(&ready()).await.unwrap();
    panics(&started).await;
    waits_for(&machine, Power::Panicked).await;
    let file = started.vm().folder().join("dump");
    let dump = DumpGuestMemory::new(false, format!("file:{}", file.display()))
        .length(1 << 20)
        .begin(0);
    machine.monitor().execute(dump).await.unwrap();
    assert!(file.metadata().unwrap().len() > 1 << 20);
    assert_eq!(machine.state().power, Power::Panicked);

    machine.reset().await.unwrap();
    waits_for(&machine, Power::Paused).await;
    machine.resume().await.unwrap();
    machine.ready_for(&ready()).await.unwrap();
}

async fn a_crash_kernel_that_takes_over_is_a_panic_until_it_resets_the_machine(on: On) {
    let (started, machine) = start(on, with(&["-device", "pvpanic"])).await;
    machine.ready_for(&ready()).await.unwrap();
    // What a kernel writes to the device before its crash kernel begins.
    started.vm().monitor().human("o/b 0x505 2").await.unwrap();
    waits_for(&machine, Power::Panicked).await;
    let error = machine.ready().await.unwrap_err();
    assert_eq!(error.stopped(), Some(Power::Panicked), "{error}");
    machine.reset().await.unwrap();
    machine.ready_for(&ready()).await.unwrap();
    assert_eq!(machine.state().power, Power::Running);
}

async fn an_agent_that_is_killed_is_missed_until_the_next_has_the_port(on: On) {
    let (started, machine) = start(on, unchanged).await;
    let guest = machine.guest();
    let mut program = guest.command("sleep").arg("1000").spawn().await.unwrap();
    let waits = tokio::spawn(async move { program.wait().await });
    started
        .run(": >/run/no-agent; kill -9 $(pidof qemu-ga)")
        .await;
    while machine.state().port_is_open != Some(false) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(machine.state().power, Power::Running);
    let short = ready().timeout(Duration::from_secs(1));
    let error = machine.ready_for(&short).await.unwrap_err();
    assert!(matches!(error, MachineError::PortClosed(_)), "{error:?}");
    let patience = ready();
    let (waited, _) = tokio::join!(
        machine.ready_for(&patience),
        started.run("rm /run/no-agent")
    );
    waited.unwrap();
    machine.guest().host_name().await.unwrap();
    let error = waits.await.unwrap().unwrap_err();
    assert!(error.is_agent_gone(), "{error:?}");
}

async fn an_agent_that_is_stopped_keeps_its_port_and_does_not_answer(on: On) {
    let (started, machine) = start(on, unchanged).await;
    machine.ready_for(&ready()).await.unwrap();
    started.run("kill -STOP $(pidof qemu-ga)").await;
    let short = ready().timeout(Duration::from_secs(2));
    let error = machine.ready_for(&short).await.unwrap_err();
    assert!(
        matches!(error, MachineError::Guest(_)) && error.is_timeout(),
        "{error:?}"
    );
    let state = machine.state();
    assert_eq!(
        (state.power, state.port_is_open),
        (Power::Running, Some(true))
    );
    started.run("kill -CONT $(pidof qemu-ga)").await;
    machine.ready_for(&ready()).await.unwrap();
    machine.guest().host_name().await.unwrap();
}
