//! A copy of a disk in a file of its own, which QEMU writes while the machine goes on.

use std::pin::Pin;
use std::time::Duration;

use qga_commands::guest::freeze::Thawed;
use serde_json::json;

use super::super::job::Job;
use super::super::{DiskCopy, Machine, MachineError};
use super::{Freeze, LIMIT, consistent, unique, while_frozen};
use crate::commands::block::{
    BlockdevAdd, BlockdevBackup, BlockdevCreate, BlockdevCreateOptions, MirrorSyncMode,
};
use crate::commands::job::{JobCancel, JobDismiss, JobStatus};

/// A copy of a disk that is to be made: await it.
///
/// It returns as soon as QEMU has begun to copy, and the guest is thawed then: what is copied is the disk as it was at that
/// moment, whatever is written to it meanwhile. [`Backup::done`] waits for the end.
///
/// ```no_run
/// # async fn example(machine: qga_qmp::Machine) -> Result<(), qga_qmp::MachineError> {
/// let backup = machine.backup("root", "/backup/vm1-root.qcow2").await?;
/// println!("frozen for {:?}", backup.frozen_for);
/// backup.done().await?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// - [`MachineError::Unsupported`] if there is no such disk
/// - [`MachineError::Job`] if the file cannot be made
/// - [`MachineError::Guest`] if the guest cannot be frozen
/// - [`MachineError::Monitor`] if QEMU fails, or does not make the file in the time of one command
///
/// Then nothing is copied, but an empty file may be left behind.
///
/// [`MachineError::Inconsistent`] if the guest was thawed too soon, or is perhaps still frozen. The copying is ended then.
///
/// # Cancel safety
///
/// If the future is dropped, the guest is thawed in the background. QEMU may go on to copy.
#[derive(Clone, Debug)]
#[must_use = "nothing is done until it is awaited"]
pub struct BackupBuilder {
    machine: Machine,
    disk: String,
    file: String,
    freeze: Freeze,
    speed: Option<u64>,
}

/// A copy that QEMU is writing. If this is dropped, QEMU goes on to write it, and keeps it open.
#[must_use = "QEMU keeps the file open until `done` has returned"]
pub struct Backup {
    machine: Machine,
    job: Job,
    nodes: Vec<String>,
    /// Where it is.
    pub disk: DiskCopy,
    /// From the freeze's request to the thaw's answer; none if nothing was frozen.
    pub frozen_for: Option<Duration>,
    /// What came of the freeze and its thaw; none if nothing was frozen.
    pub thawed: Option<Thawed>,
}

impl Machine {
    /// Copies a disk into a new file while the machine goes on.
    pub fn backup(&self, disk: impl Into<String>, new_file: impl Into<String>) -> BackupBuilder {
        BackupBuilder {
            machine: self.clone(),
            disk: disk.into(),
            file: new_file.into(),
            freeze: Freeze::All,
            speed: None,
        }
    }
}

impl BackupBuilder {
    /// Freezes only the filesystems that are mounted at these places of the guest.
    pub fn freeze_only(mut self, places: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.freeze = Freeze::Only(places.into_iter().map(Into::into).collect());
        self
    }

    /// Freezes nothing: the copy is as after a power failure.
    pub fn without_freeze(mut self) -> Self {
        self.freeze = Freeze::Nothing;
        self
    }

    /// How many bytes a second are copied at most; as many as can be unless set.
    pub fn speed(mut self, bytes: u64) -> Self {
        self.speed = Some(bytes);
        self
    }

    async fn run(self) -> Result<Backup, MachineError> {
        let monitor = &self.machine.monitor;
        let (device, inserted) = self.machine.find_disk(&self.disk).await?;
        let source = if device.is_empty() {
            inserted.node_name.clone().unwrap_or_default()
        } else {
            device
        };
        let size = u64::try_from(inserted.image.virtual_size).unwrap_or_default();
        let mut nodes = Vec::new();
        let target = match self.make_target(size, &mut nodes).await {
            Ok(target) => target,
            Err(error) => {
                self.machine.forget_nodes(&nodes).await;
                return Err(error);
            }
        };
        let job = Job::new(
            monitor,
            &format!("qga-{}", unique()),
            "the copy of the disk",
        );
        let mut backup = BlockdevBackup::new(source, target, MirrorSyncMode::Full)
            .job_id(&job.id)
            .auto_dismiss(false);
        if let Some(speed) = self.speed {
            backup = backup.speed(i64::try_from(speed).unwrap_or(i64::MAX));
        }
        let begun = while_frozen(&self.machine, &self.freeze, async {
            monitor.with_timeout(LIMIT).execute(backup).await
        });
        let (begun, frozen_for, thawed) = match begun.await {
            Ok(begun) => begun,
            Err(error) => {
                self.machine.forget_nodes(&nodes).await;
                return Err(error);
            }
        };
        let disk = DiskCopy {
            disk: self.disk,
            at_rest: self.file,
            file: inserted.file,
        };
        let thawed = match begun.map_err(MachineError::from) {
            Ok(_) => consistent(thawed, std::slice::from_ref(&disk)),
            Err(error) => Err(error),
        };
        let mut backup = Backup {
            machine: self.machine,
            job,
            nodes,
            disk,
            frozen_for,
            thawed: None,
        };
        match thawed {
            Ok(thawed) => {
                backup.thawed = thawed;
                Ok(backup)
            }
            Err(error) => {
                backup.cancel().await;
                Err(error)
            }
        }
    }

    /// Makes the file and the format in it, and returns the node to copy to.
    async fn make_target(
        &self,
        size: u64,
        nodes: &mut Vec<String>,
    ) -> Result<String, MachineError> {
        let [file_node, node] = [unique(), unique()].map(|number| format!("qga-{number}"));
        let file = BlockdevCreateOptions::new("file", 0_u64).filename(&self.file);
        self.create(file).await?;
        let add = BlockdevAdd::new("file")
            .node_name(&file_node)
            .filename(&self.file);
        self.machine.monitor.execute(add).await?;
        nodes.push(file_node.clone());
        let format = BlockdevCreateOptions::new("qcow2", size).file(&file_node);
        self.create(format).await?;
        let add = BlockdevAdd::new("qcow2").node_name(&node).file(&file_node);
        self.machine.monitor.execute(add).await?;
        nodes.insert(0, node.clone());
        Ok(node)
    }

    async fn create(&self, options: BlockdevCreateOptions) -> Result<(), MachineError> {
        let monitor = &self.machine.monitor;
        let id = format!("qga-{}", unique());
        let mut job = Job::new(monitor, &id, "the file for the copy cannot be made");
        monitor.execute(BlockdevCreate::new(&id, options)).await?;
        let created = job.ended(&monitor.in_one_time()).await;
        if matches!(created, Err(MachineError::Monitor(_))) {
            let _ = monitor.execute(JobCancel::new(&id)).await;
        }
        created
    }
}

impl Backup {
    /// How many bytes were copied, and how many there are; none if the copying has ended.
    ///
    /// # Errors
    ///
    /// As [`Monitor::execute`](crate::Monitor::execute).
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, nothing is changed.
    pub async fn progress(&self) -> Result<Option<(u64, u64)>, MachineError> {
        let job = self.job.look(&self.machine.monitor).await?;
        let job = job.filter(|job| job.status != JobStatus::Concluded);
        let bytes = |count: i64| u64::try_from(count).unwrap_or_default();
        Ok(job.map(|job| (bytes(job.current_progress), bytes(job.total_progress))))
    }

    /// Waits until all is copied, however long that takes, and has QEMU close the file.
    ///
    /// # Errors
    ///
    /// [`MachineError::Job`] if the copy has failed, and as [`Monitor::execute`](crate::Monitor::execute). The file is
    /// closed then too, and holds no copy.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, QEMU goes on to copy.
    pub async fn done(mut self) -> Result<DiskCopy, MachineError> {
        let ended = self.job.ended(&self.machine.monitor).await;
        self.machine.forget_nodes(&self.nodes).await;
        ended.map(|()| self.disk)
    }

    /// Ends the copying, and has QEMU close the file, which holds no copy. QEMU has the time of one command for the end, and
    /// keeps what it cannot end in that.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the copying may go on.
    pub async fn cancel(mut self) {
        let monitor = &self.machine.monitor;
        if monitor.execute(JobCancel::new(&self.job.id)).await.is_ok() {
            let _ = self.job.ended(&monitor.in_one_time()).await;
        } else {
            // It has ended by itself, and would stay, or was never begun.
            let _ = monitor.execute(JobDismiss::new(&self.job.id)).await;
        }
        self.machine.forget_nodes(&self.nodes).await;
    }
}

impl Machine {
    /// Has QEMU close what was opened for a copy. What cannot be closed stays open.
    async fn forget_nodes(&self, nodes: &[String]) {
        for node in nodes {
            let named = json!({ "node-name": node });
            let _ = self.monitor.execute_raw("blockdev-del", Some(named)).await;
        }
    }
}

impl IntoFuture for BackupBuilder {
    type Output = Result<Backup, MachineError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

impl std::fmt::Debug for Backup {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Backup")
            .field("disk", &self.disk)
            .field("frozen_for", &self.frozen_for)
            .finish_non_exhaustive()
    }
}
