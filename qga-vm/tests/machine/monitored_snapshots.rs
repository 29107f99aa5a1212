//! Snapshots and backups of the disks of machines whose guest writes meanwhile.

use std::process::Command;
use std::time::Duration;

use qga_qmp::{Machine, MachineError};
use qga_vm::{DiskSnapshot, Filesystem as OnDisk};

use crate::case::{BUSYBOX, DEBIAN, MACHINES, On, cases};
use crate::freeze::{WRITER, records};
use crate::machine::Machine as Started;
use crate::monitored::monitored;
use crate::monitored_faults::fails_once;

cases![
    a_snapshot_is_clean_and_has_every_record_that_was_acknowledged on MACHINES,
    a_snapshot_without_a_freeze_is_not_clean_and_lacks_records on MACHINES,
    a_snapshot_of_several_disks_is_of_all_or_of_none on DEBIAN,
    a_snapshot_that_fails_leaves_the_guest_thawed_and_its_disk_as_it_was on BUSYBOX,
    a_backup_is_the_disk_as_it_was_though_it_is_written_to_meanwhile on BUSYBOX,
    a_backup_that_does_not_fit_on_the_host_is_an_error_and_leaves_nothing_open on BUSYBOX,
    a_backup_of_a_disk_that_cannot_be_read_is_an_error_and_leaves_nothing_open on BUSYBOX,
];

async fn start(on: On) -> Started {
    Started::start_as(on, qga_vm::VmBuilder::second_monitor).await
}

async fn read(path: String) -> DiskSnapshot {
    let read = move || DiskSnapshot::of(path.as_ref());
    tokio::task::spawn_blocking(read).await.unwrap().unwrap()
}

/// The lines of a log that are there to their end, which must be all numbers from one on.
fn lines(disk: &DiskSnapshot) -> usize {
    let log = String::from_utf8(disk.file("log").unwrap()).unwrap();
    let whole = log
        .split_inclusive('\n')
        .filter(|line| line.ends_with('\n'));
    let numbers: Vec<usize> = whole.map(|line| line.trim().parse().unwrap()).collect();
    assert!(numbers.iter().copied().eq(1..=numbers.len()));
    numbers.len()
}

async fn goes_on(started: &Started) {
    let goes_on = "old=$(wc -l </mnt/data/log); until [ $(wc -l </mnt/data/log) -gt $old ]; do sleep 0.05; done";
    started.run(goes_on).await;
}

async fn a_snapshot_is_clean_and_has_every_record_that_was_acknowledged(on: On) {
    let started = start(on).await;
    let written: usize = started.run(WRITER).await.trim().parse().unwrap();
    let machine = monitored(&started).await;
    let file = started.vm().folder().join("data-2.qcow2");
    let snapshot = machine
        .snapshot()
        .disk("data", file.to_string_lossy())
        .await
        .unwrap();
    assert!(
        snapshot
            .frozen_for
            .is_some_and(|time| time > Duration::ZERO)
    );
    assert!(snapshot.thawed.unwrap().is_complete());
    let disk = read(snapshot.disks[0].at_rest.clone()).await;
    assert_eq!(disk.filesystem().unwrap(), OnDisk::Clean);
    assert!(disk.file("records").unwrap() == records());
    assert!(lines(&disk) >= written);
    assert!(!started.holds_writes().await);
    goes_on(&started).await;
}

/// What the case above would show if nothing was frozen.
async fn a_snapshot_without_a_freeze_is_not_clean_and_lacks_records(on: On) {
    let started = start(on).await;
    started.run(WRITER).await;
    let machine = monitored(&started).await;
    let file = started.vm().folder().join("data-2.qcow2");
    let snapshot = machine
        .snapshot()
        .disk("data", file.to_string_lossy())
        .without_freeze()
        .await
        .unwrap();
    assert_eq!(snapshot.frozen_for, None);
    let disk = read(snapshot.disks[0].at_rest.clone()).await;
    assert_eq!(disk.filesystem().unwrap(), OnDisk::NeedsRecovery);
    assert!(disk.file("records").unwrap() != records());
}

async fn a_snapshot_of_several_disks_is_of_all_or_of_none(on: On) {
    let started = start(on).await;
    started.run(WRITER).await;
    let machine = monitored(&started).await;
    let folder = started.vm().folder();
    let file = |name: &str| folder.join(name).to_string_lossy().into_owned();
    let nowhere = machine
        .snapshot()
        .disk("root", file("root-2.qcow2"))
        .disk("data", "/no/such/folder/data-2.qcow2");
    let error = nowhere.await.unwrap_err();
    assert!(matches!(error, MachineError::Monitor(_)), "{error:?}");
    assert!(!started.holds_writes().await);

    let snapshot = machine
        .snapshot()
        .disk("root", file("root-3.qcow2"))
        .disk("data", file("data-3.qcow2"))
        .await
        .unwrap();
    // The one that has failed has changed neither.
    let at_rest: Vec<_> = snapshot.disks.iter().map(|disk| &disk.at_rest).collect();
    assert_eq!(at_rest, [&file("root.qcow2"), &file("data.qcow2")]);
    let disk = read(file("data.qcow2")).await;
    assert_eq!(disk.filesystem().unwrap(), OnDisk::Clean);
    assert!(disk.file("records").unwrap() == records());
    goes_on(&started).await;
}

async fn a_snapshot_that_fails_leaves_the_guest_thawed_and_its_disk_as_it_was(on: On) {
    let started = start(on).await;
    started.run(WRITER).await;
    let machine = monitored(&started).await;
    let unknown = machine.snapshot().disk("floppy", "/tmp/x").await;
    let unknown = unknown.unwrap_err().to_string();
    assert!(unknown.contains("\"data\""), "{unknown}");
    let error = machine.snapshot().disk("data", "/no/such/folder/x").await;
    assert!(matches!(error, Err(MachineError::Monitor(_))), "{error:?}");
    assert!(!started.holds_writes().await);
    machine.guest().host_name().await.unwrap();
    goes_on(&started).await;
}

async fn a_backup_is_the_disk_as_it_was_though_it_is_written_to_meanwhile(on: On) {
    let started = start(on).await;
    let written: usize = started.run(WRITER).await.trim().parse().unwrap();
    let machine = monitored(&started).await;
    let file = started.vm().folder().join("backup.qcow2");
    let file = file.to_string_lossy().into_owned();
    let backup = machine.backup("data", &file).await.unwrap();
    assert!(!started.holds_writes().await);
    backup.progress().await.unwrap();
    goes_on(&started).await;
    let copy = backup.done().await.unwrap();
    assert_eq!(copy.at_rest, file);
    let disk = read(file.clone()).await;
    assert_eq!(disk.filesystem().unwrap(), OnDisk::Clean);
    assert!(disk.file("records").unwrap() == records());
    assert!(lines(&disk) >= written);

    // What cannot be made is an error before anything is frozen, and nothing of it stays behind.
    let again = machine.backup("data", "/no/such/folder/x").await;
    assert!(again.is_err(), "{again:?}");
    let cancelled = machine.backup("data", format!("{file}-2")).await.unwrap();
    cancelled.cancel().await;
    nothing_is_open(&machine).await;
    goes_on(&started).await;
}

/// QEMU has neither a job nor a node of ours left.
async fn nothing_is_open(machine: &Machine) {
    let monitor = machine.monitor();
    let jobs = monitor.execute_raw("query-jobs", None).await.unwrap();
    assert_eq!(jobs.as_array().map(Vec::len), Some(0), "{jobs}");
    let nodes = monitor.execute_raw("query-named-block-nodes", None).await;
    let nodes = nodes.unwrap();
    let of_ours = nodes.as_array().unwrap().iter().filter(|node| {
        let name = node["node-name"].as_str().unwrap_or_default();
        name.starts_with("qga-")
    });
    assert_eq!(of_ours.count(), 0, "{nodes}");
}

async fn fails(started: &Started, machine: &Machine) -> String {
    let file = started.vm().folder().join("backup.qcow2");
    let backup = machine.backup("data", file.to_string_lossy());
    let backup = backup.await.unwrap();
    assert!(backup.frozen_for.is_some());
    assert!(!started.holds_writes().await);
    let error = backup.done().await.unwrap_err();
    let MachineError::Job { reason, .. } = error else {
        panic!("{error:?}");
    };
    nothing_is_open(machine).await;
    assert!(!started.holds_writes().await);
    goes_on(started).await;
    machine.guest().host_name().await.unwrap();
    reason
}

/// QEMU may write no file that is larger than this, as where a quota is used up.
fn limit_files(started: &Started, bytes: u64) {
    let process = started.vm().qemu().unwrap();
    let limited = Command::new("prlimit")
        .args(["--pid", &process.to_string()])
        .arg(format!("--fsize={bytes}:unlimited"))
        .status();
    assert!(limited.unwrap().success());
}

async fn a_backup_that_does_not_fit_on_the_host_is_an_error_and_leaves_nothing_open(on: On) {
    let started = start(on).await;
    started
        .run("dd if=/dev/urandom of=/mnt/data/large bs=1M count=24 2>/dev/null; sync")
        .await;
    let machine = monitored(&started).await;
    // What the guest writes from now on is in a small file.
    let small = started.vm().folder().join("small.qcow2");
    let snapshot = machine.snapshot().disk("data", small.to_string_lossy());
    let _ = snapshot.await.unwrap();
    started.run(WRITER).await;
    limit_files(&started, 12 << 20);
    let reason = fails(&started, &machine).await;
    assert!(reason.contains("too large"), "{reason}");
}

async fn a_backup_of_a_disk_that_cannot_be_read_is_an_error_and_leaves_nothing_open(on: On) {
    const IO: u32 = 5;
    let started = start(on).await;
    let machine = monitored(&started).await;
    fails_once(&started, "read_aio", IO).await;
    started.run(WRITER).await;
    let reason = fails(&started, &machine).await;
    assert!(reason.contains("Input/output error"), "{reason}");
}
