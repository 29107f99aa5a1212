//! The machine's disks, what they are made of, and the jobs that work on them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::told::add;
use serde_json::{Value, json};

use super::job::{Job, Kind};
use super::snapshot::DiskSnapshot;
use crate::wire::reply::Failure;

/// The size of a disk, in bytes.
const SIZE: u64 = 1 << 30;

/// All that the monitor knows of disks.
#[derive(Clone, Debug)]
pub(super) struct Blocks {
    pub(super) disks: Vec<Disk>,
    pub(super) nodes: BTreeMap<String, Node>,
    pub(super) jobs: Vec<Job>,
    /// The files that there are.
    pub(super) files: BTreeSet<String>,
    /// Folders in which no file can be made, since they are not there.
    pub(super) missing_folders: Vec<String>,
    pub(super) snapshots: Vec<DiskSnapshot>,
    /// How long jobs take.
    pub(super) job_time: Duration,
    /// What the next job fails with.
    pub(super) next_failure: Option<String>,
    /// Whether there is no room for what the guest writes.
    pub(super) is_full: bool,
    /// Whether a write has failed for that, and there is none yet.
    pub(super) has_failed: bool,
    /// How many nodes were given a name.
    named: u32,
}

/// A disk of the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Disk {
    /// Empty where the disk has a node with a name instead.
    pub(super) device: String,
    /// The node that it reads and writes.
    pub(super) root: String,
    /// The path of the device in the tree of QEMU's objects.
    qdev: String,
}

/// A node of QEMU's graph of block devices.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) driver: String,
    pub(super) file: String,
    /// The node below it.
    pub(super) backing: Option<String>,
    pub(super) size: u64,
}

impl Default for Blocks {
    /// With one disk.
    fn default() -> Self {
        let mut blocks = Self {
            disks: Vec::new(),
            nodes: BTreeMap::new(),
            jobs: Vec::new(),
            files: BTreeSet::new(),
            missing_folders: Vec::new(),
            snapshots: Vec::new(),
            job_time: Duration::ZERO,
            next_failure: None,
            is_full: false,
            has_failed: false,
            named: 0,
        };
        blocks.add_disk("drive0", "/vm/disk.qcow2");
        blocks
    }
}

impl Disk {
    /// The name by which users know it.
    pub(super) fn name(&self) -> &str {
        if self.device.is_empty() {
            &self.root
        } else {
            &self.device
        }
    }
}

impl Blocks {
    /// Adds a disk as `-drive id=` does: its node has a name that QEMU has made up.
    pub(super) fn add_disk(&mut self, device: &str, file: &str) {
        self.named += 1;
        let root = format!("#block{:03}", self.named);
        self.attach(device, root, file);
    }

    /// Adds a disk as `-blockdev node-name=` does.
    pub(super) fn add_node(&mut self, node: &str, file: &str) {
        self.attach("", node.to_owned(), file);
    }

    fn attach(&mut self, device: &str, root: String, file: &str) {
        let node = Node {
            driver: "qcow2".into(),
            file: file.to_owned(),
            backing: None,
            size: SIZE,
        };
        self.files.insert(file.to_owned());
        self.nodes.insert(root.clone(), node);
        let number = self.disks.len() + 2;
        self.disks.push(Disk {
            device: device.to_owned(),
            root,
            qdev: format!("/machine/peripheral-anon/device[{number}]/virtio-backend"),
        });
    }

    /// The disk of this device or this node.
    pub(super) fn find(&self, device: Option<&str>, node: Option<&str>) -> Result<&Disk, Failure> {
        let is_it = |disk: &&Disk| {
            device.is_some_and(|device| !device.is_empty() && disk.device == device)
                || node.is_some_and(|node| disk.root == node)
        };
        self.disks.iter().find(is_it).ok_or_else(|| {
            let (device, node) = (device.unwrap_or_default(), node.unwrap_or_default());
            Failure::generic(format!(
                "Cannot find device='{device}' nor node-name='{node}'"
            ))
        })
    }

    /// The disk of a device or a node, which has this name.
    pub(super) fn find_any(&self, name: &str) -> Result<&Disk, Failure> {
        let found = self.find(Some(name), Some(name));
        found.map_err(|_| {
            Failure::generic(format!(
                "Cannot find device='{name}' nor node-name='{name}'"
            ))
        })
    }

    pub(super) fn node(&self, name: &str) -> Result<&Node, Failure> {
        let found = self.nodes.get(name);
        found.ok_or_else(|| {
            Failure::generic(format!("Cannot find device='' nor node-name='{name}'"))
        })
    }

    /// Lets the disk with this node on top have another one there.
    pub(super) fn set_root(&mut self, from: &str, to: &str) {
        if let Some(disk) = self.disks.iter_mut().find(|disk| disk.root == from) {
            to.clone_into(&mut disk.root);
        }
    }

    pub(super) fn remove(&mut self, name: &str) -> Result<(), Failure> {
        let text = |text: &str| Failure::generic(format!("{text} node {name}"));
        if self.disks.iter().any(|disk| disk.root == name) {
            return Err(Failure::generic(format!("Node {name} is in use")));
        }
        self.nodes
            .remove(name)
            .map(|_| ())
            .ok_or_else(|| text("Failed to find"))
    }

    /// The name of a new node, or one that is made up.
    pub(super) fn new_name(&mut self, name: Option<&str>) -> Result<String, Failure> {
        if let Some(name) = name {
            if self.nodes.contains_key(name) {
                return Err(Failure::generic(
                    "Duplicate nodes with node-name='".to_owned() + name + "'",
                ));
            }
            return Ok(name.to_owned());
        }
        self.named += 1;
        Ok(format!("#block{:03}", self.named))
    }

    pub(super) fn create_file(&mut self, path: &str) -> Result<(), Failure> {
        let is_in = |folder: &String| {
            path.strip_prefix(folder.as_str())
                .is_some_and(|rest| rest.starts_with('/'))
        };
        if self.missing_folders.iter().any(is_in) {
            let text = format!("Could not create '{path}': No such file or directory");
            return Err(Failure::generic(text));
        }
        self.files.insert(path.to_owned());
        Ok(())
    }

    /// A job that is to begin.
    pub(super) fn new_job(&mut self, id: &str, kind: Kind, total: u64) -> Result<Job, Failure> {
        if self.jobs.iter().any(|job| job.id == id) {
            return Err(Failure::generic(format!("Job ID '{id}' already in use")));
        }
        Ok(Job::new(id, kind, total, self.next_failure.take()))
    }

    /// What is told of a write for which the host has no room.
    pub(super) fn full_disk(&mut self) -> Option<Value> {
        self.has_failed = true;
        let disk = self.disks.first()?;
        Some(json!({
            "device": disk.device,
            "node-name": disk.root,
            "qom-path": disk.qdev,
            "operation": "write",
            "action": "stop",
            "nospace": true,
            "reason": "No space left on device",
        }))
    }

    /// The answer of `query-block`.
    pub(super) fn tell(&self) -> Value {
        self.disks
            .iter()
            .enumerate()
            .map(|(number, disk)| {
                let is_full = self.has_failed && number == 0;
                json!({
                    "device": disk.device,
                    "qdev": disk.qdev,
                    "type": "unknown",
                    "removable": false,
                    "locked": false,
                    "io-status": if is_full { "nospace" } else { "ok" },
                    "inserted": self.inserted(&disk.root),
                })
            })
            .collect()
    }

    fn inserted(&self, root: &str) -> Value {
        let Some(node) = self.nodes.get(root) else {
            return Value::Null;
        };
        let mut told = json!({
            "node-name": root,
            "drv": node.driver,
            "file": node.file,
            "ro": false,
            "encrypted": false,
            "backing_file_depth": self.depth(node),
            "image": self.image(node, 0),
            "iops": 0, "iops_rd": 0, "iops_wr": 0, "bps": 0, "bps_rd": 0, "bps_wr": 0,
            "detect_zeroes": "off",
            "write_threshold": 0,
            "cache": {"no-flush": false, "direct": false, "writeback": true},
        });
        if let Some(below) = self.below(node) {
            add(&mut told, "backing_file", below.file.as_str());
        }
        told
    }

    fn below(&self, node: &Node) -> Option<&Node> {
        self.nodes.get(node.backing.as_ref()?)
    }

    /// How many nodes are below a node. A client may have made a circle of them.
    fn depth(&self, node: &Node) -> usize {
        let below = std::iter::successors(self.below(node), |node| self.below(node));
        below.take(DEEPEST).count()
    }

    fn image(&self, node: &Node, depth: usize) -> Value {
        let mut told = json!({
            "filename": node.file,
            "format": node.driver,
            "virtual-size": node.size,
            "actual-size": 196_608,
            "dirty-flag": false,
        });
        if let Some(below) = self.below(node).filter(|_| depth < DEEPEST) {
            add(&mut told, "backing-filename", below.file.as_str());
            add(&mut told, "full-backing-filename", below.file.as_str());
            add(&mut told, "backing-filename-format", below.driver.as_str());
            add(&mut told, "backing-image", self.image(below, depth + 1));
        }
        told
    }
}

/// So many nodes below each other are told.
const DEEPEST: usize = 200;
