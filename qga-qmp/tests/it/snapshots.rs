//! Snapshots and backups, which leave no guest frozen.

use std::time::Duration;

use qga_commands::Guest;
use qga_commands::commands::fs::{FsfreezeStatus, GuestFsfreezeStatus};
use qga_core::Client;
use qga_qmp::{Machine, MachineError, Monitor};
use qga_testserver::{Fault, SnapshotKind, TestMachine};

use crate::together::connect;

async fn is_frozen(machine: &Machine) -> bool {
    let status = machine.guest().execute(FsfreezeStatus).await.unwrap();
    status == GuestFsfreezeStatus::Frozen
}

/// What was taken: the disk, the file, how, and whether the guest was frozen.
fn taken(fake: &TestMachine) -> Vec<(String, String, SnapshotKind, bool)> {
    let snapshots = fake.snapshots().into_iter();
    snapshots
        .map(|it| (it.disk, it.file, it.kind, it.is_frozen))
        .collect()
}

#[tokio::test]
async fn all_disks_are_taken_at_once_while_the_guest_is_frozen() {
    let fake = TestMachine::start().await;
    fake.disk("data", "/vm/data.qcow2");
    fake.blockdev("logs", "/vm/logs.qcow2");
    let machine = connect(&fake).await;
    let snapshot = machine
        .snapshot()
        .disk("drive0", "/vm/disk-2.qcow2")
        .disk("data", "/vm/data-2.qcow2")
        .disk("logs", "/vm/logs-2.qcow2")
        .await
        .unwrap();
    assert!(snapshot.frozen_for.is_some());
    assert!(snapshot.thawed.unwrap().is_complete());
    let rests: Vec<_> = snapshot.disks.iter().map(|disk| &*disk.at_rest).collect();
    assert_eq!(
        rests,
        ["/vm/disk.qcow2", "/vm/data.qcow2", "/vm/logs.qcow2"]
    );
    let taken = taken(&fake);
    assert_eq!(taken.len(), 3, "{taken:?}");
    assert!(
        taken
            .iter()
            .all(|(.., kind, is_frozen)| *kind == SnapshotKind::Overlay && *is_frozen),
        "{taken:?}"
    );
    assert_eq!(fake.requests_of("transaction").len(), 1);
    assert!(!is_frozen(&machine).await);
}

#[tokio::test]
async fn without_a_freeze_the_guest_is_not_asked() {
    let fake = TestMachine::start().await;
    let machine = connect(&fake).await;
    let snapshot = machine.snapshot().disk("drive0", "/vm/disk-2.qcow2");
    let snapshot = snapshot.without_freeze().await.unwrap();
    assert_eq!((snapshot.frozen_for, snapshot.thawed), (None, None));
    assert_eq!(fake.agent().requests().len(), 0);
}

#[tokio::test]
async fn what_is_no_disk_is_told_before_the_guest_is_frozen() {
    let fake = TestMachine::start().await;
    let machine = connect(&fake).await;
    for snapshot in [
        machine.snapshot().disk("floppy", "/vm/x.qcow2"),
        machine.snapshot(),
    ] {
        let error = snapshot.await.unwrap_err();
        assert!(matches!(error, MachineError::Unsupported(_)), "{error}");
    }
    assert_eq!(fake.agent().requests().len(), 0);
}

#[tokio::test]
async fn a_snapshot_that_fails_in_part_leaves_the_guest_thawed_and_all_disks_as_they_were() {
    let fake = TestMachine::start().await;
    fake.disk("data", "/vm/data.qcow2");
    fake.missing_folder("/nowhere");
    let machine = connect(&fake).await;
    let snapshot = machine
        .snapshot()
        .disk("drive0", "/vm/disk-2.qcow2")
        .disk("data", "/nowhere/data-2.qcow2");
    let error = snapshot.await.unwrap_err();
    assert!(matches!(error, MachineError::Monitor(_)), "{error}");
    assert_eq!(taken(&fake), []);
    assert!(!is_frozen(&machine).await);
}

#[tokio::test(start_paused = true)]
async fn that_a_guest_may_still_be_frozen_counts_for_more_than_why_nothing_was_copied() {
    let fake = TestMachine::start().await;
    let monitor = Monitor::new(fake.connect_monitor());
    let guest = Guest::new(Client::new(fake.agent().connect()));
    let machine = Machine::builder().build(guest, monitor).await.unwrap();
    fake.agent()
        .on("guest-fsfreeze-thaw")
        .error("GenericError", "it cannot be thawed");
    fake.missing_folder("/nowhere");
    let snapshot = machine.snapshot().disk("drive0", "/nowhere/disk-2.qcow2");
    let error = snapshot.await.unwrap_err();
    assert!(matches!(error, MachineError::Guest(_)), "{error:?}");
    assert_eq!(taken(&fake), []);
}

#[tokio::test]
async fn a_qemu_that_does_not_answer_leaves_the_guest_frozen_no_longer_than_the_limit() {
    let fake = TestMachine::start().await;
    let machine = connect(&fake).await;
    fake.on("transaction").fault(Fault::no_answer());
    let snapshot = machine
        .snapshot()
        .disk("drive0", "/vm/disk-2.qcow2")
        .limit(Duration::from_millis(200));
    let error = snapshot.await.unwrap_err();
    assert!(error.is_timeout(), "{error}");
    assert!(!is_frozen(&machine).await);
}

#[tokio::test]
async fn a_snapshot_that_is_dropped_is_thawed_in_the_background() {
    let fake = TestMachine::start().await;
    let machine = connect(&fake).await;
    fake.on("transaction").fault(Fault::no_answer());
    let snapshot = machine.snapshot().disk("drive0", "/vm/disk-2.qcow2");
    let dropped = tokio::spawn(snapshot.into_future());
    fake.wait_for("transaction", 1).await;
    assert!(is_frozen(&machine).await);
    dropped.abort();
    assert!(dropped.await.unwrap_err().is_cancelled());
    fake.agent().wait_for("guest-fsfreeze-thaw", 1).await;
    machine.guest().host_name().await.unwrap();
    assert!(!is_frozen(&machine).await);
}

#[tokio::test]
async fn a_guest_that_cannot_be_frozen_keeps_its_disks_as_they_are() {
    let fake = TestMachine::start().await;
    let machine = connect(&fake).await;
    let freeze = fake.agent().on("guest-fsfreeze-freeze");
    freeze.error("GenericError", "not today");
    let snapshot = machine.snapshot().disk("drive0", "/vm/disk-2.qcow2");
    let error = snapshot.await.unwrap_err();
    assert!(matches!(error, MachineError::Guest(_)), "{error}");
    assert_eq!(taken(&fake), []);
}

#[tokio::test]
async fn a_backup_goes_on_after_the_thaw_and_tells_how_far_it_is() {
    let fake = TestMachine::start().await;
    let machine = connect(&fake).await;
    fake.job_time(Duration::from_millis(300));
    let backup = machine.backup("drive0", "/vm/copy.qcow2").await.unwrap();
    assert!(backup.frozen_for.is_some());
    assert!(!is_frozen(&machine).await);
    let (done, of) = backup.progress().await.unwrap().unwrap();
    assert!(done <= of);
    let copy = backup.done().await.unwrap();
    assert_eq!(copy.at_rest, "/vm/copy.qcow2");
    let taken = taken(&fake);
    assert!(
        matches!(&taken[..], [(.., SnapshotKind::Backup, true)]),
        "{taken:?}"
    );
    let jobs = machine.monitor().execute_raw("query-jobs", None).await;
    assert_eq!(jobs.unwrap().as_array().map(Vec::len), Some(0));
}

#[tokio::test]
async fn a_backup_that_cannot_be_made_is_an_error_before_anything_is_frozen() {
    let fake = TestMachine::start().await;
    fake.missing_folder("/nowhere");
    let machine = connect(&fake).await;
    let error = machine.backup("drive0", "/nowhere/copy.qcow2").await;
    assert!(error.is_err(), "{error:?}");
    assert_eq!(fake.agent().requests().len(), 0);
    assert_eq!(taken(&fake), []);
}

#[tokio::test]
async fn a_backup_that_is_cancelled_leaves_no_job_behind() {
    let fake = TestMachine::start().await;
    let machine = connect(&fake).await;
    fake.job_time(Duration::from_millis(100));
    let backup = machine.backup("drive0", "/vm/copy.qcow2").await.unwrap();
    assert!(backup.progress().await.unwrap().is_some());
    backup.cancel().await;
    let jobs = machine.monitor().execute_raw("query-jobs", None).await;
    assert_eq!(jobs.unwrap().as_array().map(Vec::len), Some(0));
}

#[tokio::test]
async fn a_backup_that_had_ended_before_it_was_cancelled_leaves_no_job_behind() {
    let fake = TestMachine::start().await;
    let machine = connect(&fake).await;
    let backup = machine.backup("drive0", "/vm/copy.qcow2").await.unwrap();
    while backup.progress().await.unwrap().is_some() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    backup.cancel().await;
    let jobs = machine.monitor().execute_raw("query-jobs", None).await;
    assert_eq!(jobs.unwrap(), serde_json::json!([]));
}

#[tokio::test]
async fn a_file_that_is_never_made_ends_the_backup_and_freezes_nothing() {
    let fake = TestMachine::start().await;
    let (agent, monitor) = (fake.agent().address(), fake.monitor_address());
    let impatient = Monitor::builder().timeout(Duration::from_millis(300));
    let machine = Machine::builder().monitor(impatient);
    let machine = machine.connect(&*agent, &*monitor).await.unwrap();
    fake.job_time(Duration::from_secs(3600));
    let error = machine.backup("drive0", "/vm/copy.qcow2").await;
    let error = error.unwrap_err();
    assert!(
        matches!(&error, MachineError::Monitor(error) if error.is_deadline()),
        "{error}"
    );
    assert!(fake.agent().requests_of("guest-fsfreeze-freeze").is_empty());
    assert_eq!(fake.requests_of("job-cancel").len(), 1);
}
