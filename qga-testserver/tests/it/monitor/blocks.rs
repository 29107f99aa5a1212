use std::time::Duration;

use qga_testserver::{SnapshotKind, TestMachine};
use serde_json::{Value, json};

use super::{Qmp, tell_agent};

/// The snapshots: disk, file, how, and whether the guest was frozen.
fn taken(machine: &TestMachine) -> Vec<(String, String, SnapshotKind, bool)> {
    let snapshots = machine.snapshots().into_iter();
    snapshots
        .map(|it| (it.disk, it.file, it.kind, it.is_frozen))
        .collect()
}

/// The file that each disk is written to.
async fn files(qmp: &mut Qmp) -> Vec<String> {
    let disks = qmp.get("query-block").await;
    let file = |disk: &Value| disk["inserted"]["file"].as_str().unwrap().to_owned();
    disks.as_array().unwrap().iter().map(file).collect()
}

/// The next events tell these states of a job.
async fn job(qmp: &mut Qmp, id: &str, states: &[&str]) {
    for state in states {
        let event = qmp.event().await;
        assert_eq!(event["event"], "JOB_STATUS_CHANGE", "{event}");
        assert_eq!(event["data"], json!({"status": state, "id": id}));
    }
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_lets_the_disk_be_written_to_a_new_file_and_tells_no_event() {
    let machine = TestMachine::start().await;
    let mut qmp = Qmp::connect(&machine).await;
    let snapshot = json!({
        "device": "drive0", "snapshot-file": "/vm/snap1.qcow2", "format": "qcow2", "snapshot-node-name": "snap1",
    });
    tell_agent(&machine, json!({"execute": "guest-fsfreeze-freeze"}))
        .await
        .line()
        .await;
    assert_eq!(
        qmp.call("blockdev-snapshot-sync", snapshot).await,
        json!({})
    );
    tell_agent(&machine, json!({"execute": "guest-fsfreeze-thaw"}))
        .await
        .line()
        .await;
    let late = json!({"device": "drive0", "snapshot-file": "/vm/snap2.qcow2"});
    assert_eq!(qmp.call("blockdev-snapshot-sync", late).await, json!({}));
    let disk = qmp.get("query-block").await[0]["inserted"].clone();
    assert_eq!(disk["backing_file"], "/vm/snap1.qcow2");
    assert_eq!(disk["backing_file_depth"], 2);
    assert_eq!(
        disk["image"]["backing-image"]["backing-image"]["filename"],
        "/vm/disk.qcow2"
    );
    let overlay =
        |file: &str, frozen| ("drive0".into(), file.into(), SnapshotKind::Overlay, frozen);
    assert_eq!(
        taken(&machine),
        [
            overlay("/vm/snap1.qcow2", true),
            overlay("/vm/snap2.qcow2", false)
        ]
    );
    assert!(qmp.events.is_empty());
}

#[tokio::test(start_paused = true)]
async fn snapshots_that_cannot_be_taken_say_why() {
    let machine = TestMachine::start().await;
    machine.missing_folder("/nonexistent");
    let mut qmp = Qmp::connect(&machine).await;
    for (device, file, text) in [
        (
            "drive0",
            "/nonexistent/x.qcow2",
            "Could not create '/nonexistent/x.qcow2': No such file or directory",
        ),
        (
            "nope",
            "/vm/y",
            "Cannot find device='nope' nor node-name=''",
        ),
        (
            "drive0",
            "/vm/disk.qcow2",
            "Error: Trying to create an image with the same filename as the backing file",
        ),
    ] {
        let snapshot = json!({"device": device, "snapshot-file": file});
        assert_eq!(qmp.call("blockdev-snapshot-sync", snapshot).await, text);
    }
    assert!(machine.snapshots().is_empty());
    assert_eq!(files(&mut qmp).await, ["/vm/disk.qcow2"]);
}

#[tokio::test(start_paused = true)]
async fn a_transaction_takes_all_snapshots_or_none() {
    let machine = TestMachine::start().await;
    machine.blockdev("node1", "/vm/data.qcow2");
    machine.missing_folder("/nonexistent");
    let mut qmp = Qmp::connect(&machine).await;
    let actions = |second: &str| {
        let act = |data: Value| json!({"type": "blockdev-snapshot-sync", "data": data});
        json!({"actions": [
            act(json!({"device": "drive0", "snapshot-file": "/vm/s0.qcow2"})),
            act(json!({"node-name": "node1", "snapshot-file": second})),
        ]})
    };
    let refused = qmp.call("transaction", actions("/nonexistent/x")).await;
    assert_eq!(
        refused,
        "Could not create '/nonexistent/x': No such file or directory"
    );
    assert_eq!(files(&mut qmp).await, ["/vm/disk.qcow2", "/vm/data.qcow2"]);
    assert!(machine.snapshots().is_empty());
    // The file of the snapshot that was undone is still there.
    let left = json!({"driver": "qcow2", "node-name": "left", "file": {"driver": "file", "filename": "/vm/s0.qcow2"}});
    assert_eq!(qmp.call("blockdev-add", left).await, json!({}));

    assert_eq!(
        qmp.call("transaction", actions("/vm/s1.qcow2")).await,
        json!({})
    );
    assert_eq!(files(&mut qmp).await, ["/vm/s0.qcow2", "/vm/s1.qcow2"]);
    assert_eq!(machine.snapshots().len(), 2);
    let aborted = json!({"actions": [{"type": "abort", "data": {}}]});
    assert_eq!(
        qmp.call("transaction", aborted).await,
        "Transaction aborted using Abort action"
    );
}

/// Makes the file for a backup.
async fn make_target(qmp: &mut Qmp) {
    let options = json!({"driver": "file", "filename": "/vm/backup.qcow2", "size": 0});
    let create = json!({"job-id": "c1", "options": options});
    assert_eq!(qmp.call("blockdev-create", create).await, json!({}));
    job(
        qmp,
        "c1",
        &["created", "running", "waiting", "pending", "concluded"],
    )
    .await;
    assert_eq!(qmp.get("query-jobs").await[0]["status"], "concluded");
    assert_eq!(
        qmp.call("job-dismiss", json!({"id": "c1"})).await,
        json!({})
    );
    job(qmp, "c1", &["null"]).await;
    let file = json!({"driver": "file", "node-name": "tf", "filename": "/vm/backup.qcow2"});
    assert_eq!(qmp.call("blockdev-add", file).await, json!({}));
    let options = json!({"driver": "qcow2", "file": "tf", "size": 1 << 30});
    let create = json!({"job-id": "c2", "options": options});
    assert_eq!(qmp.call("blockdev-create", create).await, json!({}));
    job(
        qmp,
        "c2",
        &["created", "running", "waiting", "pending", "concluded"],
    )
    .await;
    assert_eq!(
        qmp.call("job-dismiss", json!({"id": "c2"})).await,
        json!({})
    );
    job(qmp, "c2", &["null"]).await;
    let target = json!({"driver": "qcow2", "node-name": "tgt", "file": "tf"});
    assert_eq!(qmp.call("blockdev-add", target).await, json!({}));
}

#[tokio::test(start_paused = true)]
async fn a_backup_goes_on_after_its_command_was_answered() {
    let machine = TestMachine::start().await;
    let mut qmp = Qmp::connect(&machine).await;
    make_target(&mut qmp).await;
    machine.job_time(Duration::from_secs(10));
    let backup = json!({"job-id": "bj", "device": "drive0", "target": "tgt", "sync": "full", "auto-dismiss": false});
    assert_eq!(qmp.call("blockdev-backup", backup).await, json!({}));
    assert_eq!(qmp.events.len(), 4);
    job(&mut qmp, "bj", &["created", "running", "paused", "running"]).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    let told = qmp.get("query-jobs").await[0].clone();
    assert_eq!(told["status"], "running");
    assert_eq!(told["current-progress"].as_u64().unwrap() * 2, 1 << 30);
    job(&mut qmp, "bj", &["waiting", "pending"]).await;
    let event = qmp.event().await;
    assert_eq!(event["event"], "BLOCK_JOB_COMPLETED");
    assert_eq!(event["data"]["device"], "bj");
    assert_eq!(event["data"]["offset"], event["data"]["len"]);
    job(&mut qmp, "bj", &["concluded"]).await;
    let again = json!({"job-id": "bj", "device": "drive0", "target": "tgt", "sync": "full"});
    assert_eq!(
        qmp.call("blockdev-backup", again).await,
        "Job ID 'bj' already in use"
    );
    assert_eq!(
        qmp.call("job-dismiss", json!({"id": "bj"})).await,
        json!({})
    );
    job(&mut qmp, "bj", &["null"]).await;
    let backup = (
        "drive0".into(),
        "/vm/backup.qcow2".into(),
        SnapshotKind::Backup,
        false,
    );
    assert_eq!(taken(&machine), [backup]);
}

#[tokio::test(start_paused = true)]
async fn a_backup_that_fails_tells_why_and_vanishes() {
    let machine = TestMachine::start().await;
    let mut qmp = Qmp::connect(&machine).await;
    qmp.call(
        "blockdev-add",
        json!({"driver": "null-co", "node-name": "nul"}),
    )
    .await;
    machine.fail_job("No space left on device");
    let backup = json!({"job-id": "bk", "device": "drive0", "target": "nul", "sync": "full"});
    assert_eq!(qmp.call("blockdev-backup", backup).await, json!({}));
    job(
        &mut qmp,
        "bk",
        &["created", "running", "paused", "running", "aborting"],
    )
    .await;
    let event = qmp.event().await;
    assert_eq!(event["event"], "BLOCK_JOB_COMPLETED");
    assert_eq!(event["data"]["error"], "No space left on device");
    job(&mut qmp, "bk", &["concluded", "null"]).await;
    assert_eq!(qmp.get("query-jobs").await, json!([]));
}

#[tokio::test(start_paused = true)]
async fn a_file_that_cannot_be_made_is_told_by_the_job() {
    let machine = TestMachine::start().await;
    machine.missing_folder("/nonexistent");
    let mut qmp = Qmp::connect(&machine).await;
    let options = json!({"driver": "file", "filename": "/nonexistent/x", "size": 0});
    assert_eq!(
        qmp.call(
            "blockdev-create",
            json!({"job-id": "c", "options": options})
        )
        .await,
        json!({})
    );
    job(
        &mut qmp,
        "c",
        &["created", "running", "aborting", "concluded"],
    )
    .await;
    let error = qmp.get("query-jobs").await[0]["error"].clone();
    assert_eq!(
        error,
        "Could not create '/nonexistent/x': No such file or directory"
    );
    let missing = json!({"driver": "file", "node-name": "n", "filename": "/nonexistent/x"});
    assert_eq!(
        qmp.call("blockdev-add", missing).await,
        "Could not open '/nonexistent/x': No such file or directory"
    );
}

#[tokio::test(start_paused = true)]
async fn a_job_can_be_cancelled() {
    let machine = TestMachine::start().await;
    machine.job_time(Duration::from_secs(10));
    let mut qmp = Qmp::connect(&machine).await;
    qmp.call(
        "blockdev-add",
        json!({"driver": "null-co", "node-name": "nul"}),
    )
    .await;
    let backup = json!({"job-id": "bk", "device": "drive0", "target": "nul", "sync": "full"});
    qmp.call("blockdev-backup", backup).await;
    job(&mut qmp, "bk", &["created", "running", "paused", "running"]).await;
    assert_eq!(qmp.call("job-cancel", json!({"id": "bk"})).await, json!({}));
    job(&mut qmp, "bk", &["aborting"]).await;
    qmp.events(&["BLOCK_JOB_CANCELLED"]).await;
    job(&mut qmp, "bk", &["concluded", "null"]).await;
    assert_eq!(
        qmp.call("job-cancel", json!({"id": "bk"})).await,
        "Job 'bk' not found"
    );
    tokio::time::sleep(Duration::from_secs(20)).await;
    qmp.wire.silence().await;
}

#[tokio::test(start_paused = true)]
async fn a_commit_puts_the_overlay_back_once_it_is_completed() {
    let machine = TestMachine::start().await;
    let mut qmp = Qmp::connect(&machine).await;
    let nothing = qmp
        .call("block-commit", json!({"job-id": "cj", "device": "drive0"}))
        .await;
    assert!(nothing.is_string(), "{nothing}");
    let snapshot = json!({"device": "drive0", "snapshot-file": "/vm/snap1.qcow2"});
    qmp.call("blockdev-snapshot-sync", snapshot).await;
    assert_eq!(
        qmp.call("block-commit", json!({"job-id": "cj", "device": "drive0"}))
            .await,
        json!({})
    );
    job(&mut qmp, "cj", &["created", "running", "ready"]).await;
    qmp.events(&["BLOCK_JOB_READY"]).await;
    assert_eq!(files(&mut qmp).await, ["/vm/snap1.qcow2"]);
    assert_eq!(
        qmp.call("block-job-complete", json!({"device": "cj"}))
            .await,
        json!({})
    );
    job(&mut qmp, "cj", &["waiting", "pending"]).await;
    qmp.events(&["BLOCK_JOB_COMPLETED"]).await;
    job(&mut qmp, "cj", &["concluded", "null"]).await;
    assert_eq!(files(&mut qmp).await, ["/vm/disk.qcow2"]);
}

#[tokio::test(start_paused = true)]
async fn an_internal_snapshot_lets_the_machine_stand_still_and_wants_a_nodes_name() {
    let machine = TestMachine::start().await;
    machine.blockdev("node1", "/vm/data.qcow2");
    let mut qmp = Qmp::connect(&machine).await;
    let save = json!({"job-id": "sj", "tag": "t1", "vmstate": "node1", "devices": ["node1"]});
    assert_eq!(qmp.call("snapshot-save", save).await, json!({}));
    job(&mut qmp, "sj", &["created", "running"]).await;
    qmp.events(&["STOP", "RESUME"]).await;
    job(&mut qmp, "sj", &["waiting", "pending", "concluded"]).await;
    let save = json!({"job-id": "sj2", "tag": "t2", "vmstate": "drive0", "devices": ["drive0"]});
    assert_eq!(qmp.call("snapshot-save", save).await, json!({}));
    job(
        &mut qmp,
        "sj2",
        &["created", "running", "aborting", "concluded"],
    )
    .await;
    assert_eq!(
        qmp.get("query-jobs").await[1]["error"],
        "No block device node 'drive0'"
    );
    assert_eq!(machine.snapshots()[0].kind, SnapshotKind::Internal);
}
