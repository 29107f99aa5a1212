//! The disks of the machine, and snapshots of them.

use std::sync::Arc;

use serde_json::{Value, json};

use super::command::{Call, Command, Returned, done, look, with};
use super::disks::{Blocks, Disk, Node};
use super::job::{Job, Kind as JobKind};
use super::jobs;
use super::shared::Shared;
use super::snapshot::{DiskSnapshot, SnapshotKind};
use crate::commands::arguments::{Kind, optional, required};
use crate::lock::lock;
use crate::wire::reply::Failure;

pub(super) const COMMANDS: &[Command] = &[
    look("query-block", |call| Ok(lock(&call.shared.blocks).tell())),
    with(
        "blockdev-snapshot-sync",
        &[
            optional("device", Kind::Text),
            optional("node-name", Kind::Text),
            required("snapshot-file", Kind::Text),
            optional("snapshot-node-name", Kind::Text),
            optional("format", Kind::Text),
            optional("mode", Kind::Text),
        ],
        |call| transact(call, &[("blockdev-snapshot-sync", call.arguments)]),
    ),
    with(
        "blockdev-snapshot",
        &[
            required("node", Kind::Text),
            required("overlay", Kind::Text),
        ],
        |call| transact(call, &[("blockdev-snapshot", call.arguments)]),
    ),
    with(
        "transaction",
        &[
            required("actions", Kind::Any),
            optional("properties", Kind::Any),
        ],
        transaction,
    ),
    Command {
        name: "blockdev-backup",
        parameters: None,
        overtakes: false,
        run: |call| transact(call, &[("blockdev-backup", call.arguments)]),
    },
    Command {
        name: "blockdev-add",
        parameters: None,
        overtakes: false,
        run: add,
    },
    with(
        "blockdev-del",
        &[required("node-name", Kind::Text)],
        |call| {
            let name = call.text("node-name").unwrap_or_default();
            lock(&call.shared.blocks).remove(name)?;
            done()
        },
    ),
    with(
        "blockdev-create",
        &[
            required("job-id", Kind::Text),
            required("options", Kind::Any),
        ],
        create,
    ),
    Command {
        name: "block-commit",
        parameters: None,
        overtakes: false,
        run: commit,
    },
    Command {
        name: "snapshot-save",
        parameters: None,
        overtakes: false,
        run: save,
    },
];

fn transaction(call: &Call<'_>) -> Returned {
    let actions = call.arguments.get("actions").and_then(Value::as_array);
    let actions = actions.into_iter().flatten().map(|action| {
        let kind = action.get("type").and_then(Value::as_str);
        let data = action.get("data").unwrap_or(&Value::Null);
        (kind.unwrap_or_default(), data)
    });
    transact(call, &actions.collect::<Vec<_>>())
}

/// Does all of that, or nothing: then only the files that were made stay.
fn transact(call: &Call<'_>, actions: &[(&str, &Value)]) -> Returned {
    let shared = call.shared;
    let is_frozen = lock(&shared.agent.machine).facts().frozen;
    let mut blocks = lock(&shared.blocks);
    let mut changed = blocks.clone();
    let mut begun = Vec::new();
    for (kind, data) in actions {
        match act(&mut changed, kind, data, is_frozen) {
            Ok(job) => begun.extend(job),
            Err(failure) => {
                blocks.files = changed.files;
                return Err(failure);
            }
        }
    }
    *blocks = changed;
    drop(blocks);
    for job in begun {
        jobs::begin(shared, job);
    }
    done()
}

fn act(
    blocks: &mut Blocks,
    kind: &str,
    data: &Value,
    is_frozen: bool,
) -> Result<Option<Job>, Failure> {
    let text = |name: &str| data.get(name).and_then(Value::as_str);
    match kind {
        "blockdev-snapshot-sync" => {
            let disk = blocks.find(text("device"), text("node-name"))?.clone();
            let file = text("snapshot-file").ok_or_else(|| missing("snapshot-file"))?;
            let name = text("snapshot-node-name");
            let driver = text("format").unwrap_or("qcow2");
            overlay(blocks, &disk, file, name, driver, is_frozen)?;
            Ok(None)
        }
        "blockdev-snapshot" => {
            let disk = blocks.find(None, text("node"))?.clone();
            let name = text("overlay").ok_or_else(|| missing("overlay"))?;
            let mut node = blocks.node(name)?.clone();
            node.backing = Some(disk.root.clone());
            record(blocks, &disk, &node.file, SnapshotKind::Overlay, is_frozen);
            blocks.nodes.insert(name.to_owned(), node);
            blocks.set_root(&disk.root, name);
            Ok(None)
        }
        "blockdev-backup" => back_up(blocks, data, is_frozen).map(Some),
        "abort" => Err(Failure::generic("Transaction aborted using Abort action")),
        kind => {
            let text = format!("Parameter 'actions[0].type' does not accept value '{kind}'");
            Err(Failure::generic(text))
        }
    }
}

fn overlay(
    blocks: &mut Blocks,
    disk: &Disk,
    file: &str,
    name: Option<&str>,
    driver: &str,
    is_frozen: bool,
) -> Result<(), Failure> {
    let base = blocks.node(&disk.root)?;
    if base.file == file {
        let text = "Error: Trying to create an image with the same filename as the backing file";
        return Err(Failure::generic(text));
    }
    let node = Node {
        driver: driver.to_owned(),
        file: file.to_owned(),
        backing: Some(disk.root.clone()),
        size: base.size,
    };
    blocks.create_file(file)?;
    let name = blocks.new_name(name)?;
    record(blocks, disk, file, SnapshotKind::Overlay, is_frozen);
    blocks.nodes.insert(name.clone(), node);
    blocks.set_root(&disk.root, &name);
    Ok(())
}

fn back_up(blocks: &mut Blocks, data: &Value, is_frozen: bool) -> Result<Job, Failure> {
    let text = |name: &str| data.get(name).and_then(Value::as_str);
    let device = text("device").ok_or_else(|| missing("device"))?;
    let target = text("target").ok_or_else(|| missing("target"))?;
    text("sync").ok_or_else(|| missing("sync"))?;
    let disk = blocks.find_any(device)?.clone();
    let target = blocks.node(target)?.clone();
    let size = blocks.node(&disk.root)?.size;
    record(blocks, &disk, &target.file, SnapshotKind::Backup, is_frozen);
    let id = text("job-id").unwrap_or(device);
    let mut job = blocks.new_job(id, JobKind::Backup, size)?;
    job.dismisses_itself = data.get("auto-dismiss") != Some(&false.into());
    Ok(job)
}

fn record(blocks: &mut Blocks, disk: &Disk, file: &str, kind: SnapshotKind, is_frozen: bool) {
    blocks.snapshots.push(DiskSnapshot {
        disk: disk.name().to_owned(),
        file: file.to_owned(),
        kind,
        is_frozen,
    });
}

fn missing(name: &str) -> Failure {
    Failure::generic(format!("Parameter '{name}' is missing"))
}

fn add(call: &Call<'_>) -> Returned {
    let name = call.text("node-name").ok_or_else(|| missing("node-name"))?;
    let driver = call.text("driver").ok_or_else(|| missing("driver"))?;
    let mut blocks = lock(&call.shared.blocks);
    let (file, size) = match (call.text("filename"), call.arguments.get("file")) {
        (Some(file), _) => (file.to_owned(), None),
        (None, Some(Value::String(below))) => {
            let below = blocks.node(below)?;
            (below.file.clone(), Some(below.size))
        }
        (None, Some(below)) => {
            let file = below.get("filename").and_then(Value::as_str);
            let file = file.ok_or_else(|| missing("file.filename"))?;
            (file.to_owned(), None)
        }
        (None, None) if driver == "null-co" => (String::new(), None),
        (None, None) => return Err(missing("filename")),
    };
    if driver != "null-co" && !blocks.files.contains(&file) {
        let text = format!("Could not open '{file}': No such file or directory");
        return Err(Failure::generic(text));
    }
    let node = Node {
        driver: driver.to_owned(),
        file,
        backing: None,
        size: size.unwrap_or_default(),
    };
    let name = blocks.new_name(Some(name))?;
    blocks.nodes.insert(name, node);
    done()
}

fn create(call: &Call<'_>) -> Returned {
    let id = call.text("job-id").unwrap_or_default();
    let options = call.arguments.get("options").unwrap_or(&Value::Null);
    let text = |name: &str| options.get(name).and_then(Value::as_str);
    let mut blocks = lock(&call.shared.blocks);
    let mut job = blocks.new_job(id, JobKind::Create, 1)?;
    // What cannot be made is told by the job.
    let made = match (text("filename"), text("file")) {
        (Some(file), _) => blocks.create_file(file),
        (None, Some(node)) => blocks.node(node).map(|_| ()),
        (None, None) => Err(missing("options.file")),
    };
    if let Some(node) = text("file").and_then(|node| blocks.nodes.get_mut(node)) {
        node.size = options
            .get("size")
            .and_then(Value::as_u64)
            .unwrap_or_default();
    }
    if let Err(failure) = made {
        job.failure = Some(failure.text());
    }
    drop(blocks);
    jobs::begin(call.shared, job);
    done()
}

/// Puts a disk's overlay back into the file below it.
fn commit(call: &Call<'_>) -> Returned {
    let device = call.text("device").ok_or_else(|| missing("device"))?;
    let mut blocks = lock(&call.shared.blocks);
    let disk = blocks.find_any(device)?.clone();
    let top = blocks.node(&disk.root)?.clone();
    if top.backing.is_none() {
        let text = "'base' not found, or the image has no backing file";
        return Err(Failure::generic(text));
    }
    let id = call.text("job-id").unwrap_or(device);
    let mut job = blocks.new_job(id, JobKind::Commit, top.size)?;
    job.top = Some(disk.root);
    drop(blocks);
    jobs::begin(call.shared, job);
    done()
}

/// Saves the machine, which stands still meanwhile, into its own disks.
fn save(call: &Call<'_>) -> Returned {
    let id = call.text("job-id").ok_or_else(|| missing("job-id"))?;
    let tag = call.text("tag").ok_or_else(|| missing("tag"))?;
    let devices = call.arguments.get("devices").and_then(Value::as_array);
    let shared: &Arc<Shared> = call.shared;
    let is_frozen = lock(&shared.agent.machine).facts().frozen;
    let mut blocks = lock(&shared.blocks);
    let mut job = blocks.new_job(id, JobKind::Save, 1)?;
    for name in devices.into_iter().flatten().filter_map(Value::as_str) {
        match blocks.find(None, Some(name)).cloned() {
            Ok(disk) => record(&mut blocks, &disk, tag, SnapshotKind::Internal, is_frozen),
            Err(_) => job.failure = Some(format!("No block device node '{name}'")),
        }
    }
    drop(blocks);
    let stands_still = job.failure.is_none() && shared.status() == "running";
    jobs::begin(shared, job);
    if stands_still {
        shared.emit("STOP", json!(null));
        shared.emit("RESUME", json!(null));
    }
    done()
}
