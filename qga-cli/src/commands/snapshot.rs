//! `qga snapshot`.

use std::time::Duration;

use clap::Args;
use qga_qmp::Machine;
use serde_json::json;

use super::Context;
use crate::options::{Target, duration};
use crate::show;

#[derive(Debug, Args)]
#[command(
    after_help = "Example: qga snapshot web1 --monitor /run/web1/qmp.sock --disk drive0=/srv/web1-2.qcow2"
)]
pub(crate) struct Snapshot {
    #[command(flatten)]
    target: Target,
    /// A disk, and the new file that the machine goes on with; it may be given several times.
    #[arg(long = "disk", required = true, value_parser = disk, value_name = "DISK=FILE")]
    disks: Vec<(String, String)>,
    /// Freeze only what is mounted here; it may be given several times.
    #[arg(long = "mount", value_name = "PATH", conflicts_with = "without_freeze")]
    mounts: Vec<String>,
    /// Freeze nothing: the snapshot is as if the power had failed.
    #[arg(long)]
    without_freeze: bool,
    /// For how long the guest may be frozen at most.
    #[arg(long, value_parser = duration, default_value = "10s", value_name = "TIME")]
    limit: Duration,
}

fn disk(word: &str) -> Result<(String, String), String> {
    match word.split_once('=') {
        Some((disk, file)) if !disk.is_empty() && !file.is_empty() => {
            Ok((disk.to_owned(), file.to_owned()))
        }
        _ => Err("write DISK=FILE, such as drive0=/srv/web1-2.qcow2".to_owned()),
    }
}

impl Snapshot {
    pub(crate) async fn run(self, context: &Context) -> anyhow::Result<()> {
        let Some(machine) = context.machine(&self.target.guest).await? else {
            return Err(self.without_monitor(context));
        };
        let snapshot = self.take(&machine).await?;
        if context.is_json() {
            let disks = snapshot
                .disks
                .iter()
                .map(|copy| json!({"disk": copy.disk, "at_rest": copy.at_rest, "file": copy.file}));
            let seconds = snapshot.frozen_for.map(|time| time.as_secs_f64());
            let disks: Vec<_> = disks.collect();
            return show::json(
                "snapshot",
                json!({"disks": disks, "frozen_seconds": seconds}),
            );
        }
        let rows = snapshot.disks.into_iter();
        show::table(
            ["disk", "at rest", "goes on with"],
            rows.map(|copy| [copy.disk, copy.at_rest, copy.file]),
        )?;
        if let Some(time) = snapshot.frozen_for {
            context.note(&format!("the guest was frozen for {time:.1?}"));
        }
        Ok(())
    }

    /// Says what is to be done instead.
    fn without_monitor(&self, context: &Context) -> anyhow::Error {
        match context.config.address(&self.target.guest) {
            Ok(address) if address.starts_with("libvirt") => anyhow::anyhow!(
                "libvirt takes the snapshots of its guests: \
                 virsh snapshot-create-as DOMAIN --disk-only --atomic --quiesce"
            ),
            Ok(_) => anyhow::anyhow!("QEMU's monitor is needed: --monitor ADDR"),
            Err(error) => error,
        }
    }

    async fn take(
        self,
        machine: &Machine,
    ) -> Result<qga_qmp::machine::Snapshot, qga_qmp::MachineError> {
        let mut snapshot = machine.snapshot().limit(self.limit);
        for (disk, file) in self.disks {
            snapshot = snapshot.disk(disk, file);
        }
        if self.without_freeze {
            snapshot = snapshot.without_freeze();
        } else if !self.mounts.is_empty() {
            snapshot = snapshot.freeze_only(self.mounts);
        }
        snapshot.await
    }
}
