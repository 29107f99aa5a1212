//! Copies of a machine's disks that its guest finds in order.

use std::pin::Pin;
use std::time::Duration;

use qga_commands::guest::freeze::{Frozen, Thawed};
use qga_core::Error;
use tokio::time::Instant;

use super::{DiskCopy, Machine, MachineError};
use crate::commands::block::{
    BlockDeviceInfo, BlockdevSnapshotSyncWrapper, DiskSnapshot, QueryBlock, Transaction,
    TransactionAction,
};

mod backup;

pub use backup::{Backup, BackupBuilder};

/// How long QEMU may take for what is done while the guest is frozen, unless another time is set.
const LIMIT: Duration = Duration::from_secs(10);

/// How many of the machine's disks an error names.
const MOST_NAMES: usize = 32;

/// A snapshot of a machine's disks that is to be taken: name [disks](Self::disk), and await it.
///
/// The guest's filesystems are frozen, all disks go on with new files at the same moment, and the guest is thawed, also if
/// something fails or this is dropped. The files that the disks had stay as they were at that moment.
///
/// ```no_run
/// # async fn example(machine: qga_qmp::Machine) -> Result<(), qga_qmp::MachineError> {
/// let snapshot = machine
///     .snapshot()
///     .disk("root", "/var/lib/vm1/root-2.qcow2")
///     .disk("data", "/var/lib/vm1/data-2.qcow2")
///     .await?;
/// for disk in &snapshot.disks {
///     println!("{}: {} is at rest, and {} is written to", disk.disk, disk.at_rest, disk.file);
/// }
/// println!("frozen for {:?}", snapshot.frozen_for);
/// # Ok(())
/// # }
/// ```
///
/// The machine's memory is not in it. QEMU can save that too, within its own disks (`snapshot-save`), but a machine that
/// was saved while its guest is frozen comes back frozen: take that without a freeze.
///
/// Libvirt keeps the monitors of its machines to itself. Of those take a snapshot by `virsh snapshot-create-as DOMAIN
/// --disk-only --atomic --quiesce`, which freezes the guest by its agent as well, or freeze it with
/// [`while_frozen`](qga_commands::Guest::while_frozen) and have it done without `--quiesce` meanwhile.
///
/// # Errors
///
/// - [`MachineError::Unsupported`] if there is no such disk; nothing was changed
/// - [`MachineError::Guest`] if the guest cannot be frozen, or, after QEMU has failed, not be thawed; no disk was changed
/// - [`MachineError::Monitor`] if QEMU fails. It does so for all disks or for none; the new files may be left behind.
///   Where the error says that the command [may have run](Error::execution), look at `query-block`
/// - [`MachineError::Inconsistent`] if the guest was thawed too soon, or is perhaps still frozen
///
/// # Cancel safety
///
/// If the future is dropped, the guest is thawed in the background. The disks may have gone on with their new files.
#[derive(Clone, Debug)]
#[must_use = "nothing is done until it is awaited"]
pub struct SnapshotBuilder {
    machine: Machine,
    disks: Vec<(String, String)>,
    freeze: Freeze,
    limit: Duration,
}

/// What of a guest is frozen.
#[derive(Clone, Debug)]
enum Freeze {
    All,
    Only(Vec<String>),
    Nothing,
}

/// A snapshot that was taken.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Snapshot {
    /// The disks.
    pub disks: Vec<DiskCopy>,
    /// From the freeze's request to the thaw's answer; none if nothing was frozen.
    pub frozen_for: Option<Duration>,
    /// What came of the freeze and its thaw; none if nothing was frozen.
    pub thawed: Option<Thawed>,
}

impl Machine {
    /// Takes a snapshot of some disks in files of their own.
    pub fn snapshot(&self) -> SnapshotBuilder {
        SnapshotBuilder {
            machine: self.clone(),
            disks: Vec::new(),
            freeze: Freeze::All,
            limit: LIMIT,
        }
    }

    async fn freeze(&self, what: &Freeze) -> Result<Option<Frozen>, MachineError> {
        Ok(match what {
            Freeze::All => Some(self.guest.freeze().await?),
            Freeze::Only(places) => Some(self.guest.freeze_only(places).await?),
            Freeze::Nothing => None,
        })
    }

    /// Finds a disk by its name, that of its node or that of its device.
    async fn find_disk(&self, name: &str) -> Result<(String, BlockDeviceInfo), MachineError> {
        let all = self.monitor.execute(QueryBlock).await?;
        let mut names = Vec::new();
        for disk in all {
            let node = disk
                .inserted
                .as_ref()
                .and_then(|inserted| inserted.node_name.as_deref());
            let called = [Some(disk.device.as_str()), node, disk.qdev.as_deref()];
            let called = called.into_iter().flatten().filter(|name| !name.is_empty());
            let called: Vec<_> = called.map(str::to_owned).collect();
            if called.iter().any(|called| called == name)
                && let Some(inserted) = disk.inserted
            {
                return Ok((disk.device, inserted));
            }
            names.extend(called.into_iter().next());
        }
        names.truncate(MOST_NAMES);
        Err(MachineError::Unsupported(format!(
            "the machine has no disk {name:?} with something in it, but {names:?}"
        )))
    }
}

impl SnapshotBuilder {
    /// A disk, by its name (`id=` of `-drive`), the name of its node or that of its device, and the new file that the
    /// machine is to go on with, which must not be there yet. QEMU makes it, as qcow2.
    pub fn disk(mut self, disk: impl Into<String>, new_file: impl Into<String>) -> Self {
        self.disks.push((disk.into(), new_file.into()));
        self
    }

    /// Freezes only the filesystems that are mounted at these places of the guest.
    pub fn freeze_only(mut self, places: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.freeze = Freeze::Only(places.into_iter().map(Into::into).collect());
        self
    }

    /// Freezes nothing: the disks are as after a power failure.
    pub fn without_freeze(mut self) -> Self {
        self.freeze = Freeze::Nothing;
        self
    }

    /// How long QEMU may take while the guest is frozen; 10 seconds unless set.
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    async fn run(self) -> Result<Snapshot, MachineError> {
        if self.disks.is_empty() {
            let text = "a snapshot of no disk was asked for".to_owned();
            return Err(MachineError::Unsupported(text));
        }
        let (actions, disks) = self.prepare().await?;
        let take = Transaction::new(actions);
        let (taken, frozen_for, thawed) = while_frozen(&self.machine, &self.freeze, async {
            let monitor = self.machine.monitor.with_timeout(self.limit);
            monitor.execute(take).await
        })
        .await?;
        taken?;
        let thawed = consistent(thawed, &disks)?;
        Ok(Snapshot {
            disks,
            frozen_for,
            thawed,
        })
    }

    /// All that can fail before the guest is frozen.
    async fn prepare(&self) -> Result<(Vec<TransactionAction>, Vec<DiskCopy>), MachineError> {
        let (mut actions, mut disks) = (Vec::new(), Vec::new());
        for (number, (name, file)) in self.disks.iter().enumerate() {
            let (device, inserted) = self.machine.find_disk(name).await?;
            let mut action = DiskSnapshot::new(file).format("qcow2");
            if device.is_empty() {
                let node = inserted.node_name.unwrap_or_default();
                let new_node = format!("qga-{}-{number}", unique());
                action = action.node_name(node).snapshot_node_name(new_node);
            } else {
                action = action.device(device);
            }
            let action = BlockdevSnapshotSyncWrapper::new(action);
            actions.push(TransactionAction::BlockdevSnapshotSync(action));
            disks.push(DiskCopy {
                disk: name.clone(),
                at_rest: inserted.file,
                file: file.clone(),
            });
        }
        Ok((actions, disks))
    }
}

impl IntoFuture for SnapshotBuilder {
    type Output = Result<Snapshot, MachineError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

/// What was done, for how long the guest was frozen, and what came of its thaw.
type Done<T> = (
    Result<T, Error>,
    Option<Duration>,
    Option<Result<Thawed, qga_commands::GuestError>>,
);

/// Does something while the guest is frozen, and thaws it whatever comes of that.
async fn while_frozen<T>(
    machine: &Machine,
    freeze: &Freeze,
    work: impl Future<Output = Result<T, Error>>,
) -> Result<Done<T>, MachineError> {
    let begun = Instant::now();
    let Some(frozen) = machine.freeze(freeze).await? else {
        return Ok((work.await, None, None));
    };
    let done = work.await;
    match (done, frozen.thaw().await) {
        // That the guest may still be frozen counts for more than why nothing was copied.
        (Err(_), Err(not_thawed)) => Err(not_thawed.into()),
        (done, thawed) => Ok((done, Some(begun.elapsed()), Some(thawed))),
    }
}

/// What came of the thaw, unless the guest was not frozen all the while.
fn consistent(
    thawed: Option<Result<Thawed, qga_commands::GuestError>>,
    disks: &[DiskCopy],
) -> Result<Option<Thawed>, MachineError> {
    let disks = disks.to_vec();
    match thawed.transpose() {
        Ok(None) => Ok(None),
        Ok(Some(thawed)) if thawed.is_complete() => Ok(Some(thawed)),
        Ok(Some(_)) => {
            let source = None;
            Err(MachineError::Inconsistent { disks, source })
        }
        Err(error) => {
            let source = Some(Box::new(error));
            Err(MachineError::Inconsistent { disks, source })
        }
    }
}

/// A number that no other node or job of this process has.
fn unique() -> String {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("{}-{number}", std::process::id())
}
