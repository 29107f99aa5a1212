//! States of machines from which others are started, since that takes a third of a second.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::json;
use tokio::time::{sleep, timeout};

use crate::builder::VmBuilder;
use crate::image::Image;
use crate::once::built_once;
use crate::vm::Vm;

const BOOT_LIMIT: Duration = Duration::from_secs(180);
const SAVE_LIMIT: Duration = Duration::from_secs(60);
/// It happens about once in a hundred boots of a systemd guest that its agent never answers.
const BOOTS: usize = 2;

impl VmBuilder {
    /// Starts the machine where a saved state of it left off, and makes that state where there is none yet. Its agent
    /// is ready.
    ///
    /// # Errors
    ///
    /// When the guest cannot be built, or QEMU cannot be started.
    pub async fn start(self) -> Result<Vm> {
        let state = state(&self).await?;
        Vm::launch(&self, &state, true).await
    }
}

/// Returns the folder of the state of such a machine: its disks, and the file `state`.
async fn state(builder: &VmBuilder) -> Result<PathBuf> {
    let builder = builder.clone();
    // The first caller builds, and the others wait for its lock, which blocks.
    let runtime = tokio::runtime::Handle::current();
    tokio::task::spawn_blocking(move || {
        let image = builder.image.folder()?;
        let mut hasher = DefaultHasher::new();
        // Another QEMU could not read it, and one with other devices would not.
        let nowhere = Path::new("");
        format!("{:?}", builder.command(nowhere, nowhere)).hash(&mut hasher);
        let version = Command::new("qemu-system-x86_64").arg("--version").output();
        version.context("cannot run QEMU")?.stdout.hash(&mut hasher);
        let name = format!("state-{:016x}", hasher.finish());
        built_once(&image.join(name), |folder| {
            runtime.block_on(save(&builder, folder))
        })
    })
    .await?
}

async fn save(builder: &VmBuilder, folder: &Path) -> Result<()> {
    let vm = ready(builder).await?;
    let file = folder.join("state");
    let uri = format!("exec:cat >'{}'", file.display());
    let monitor = vm.monitor();
    monitor
        .command(
            "migrate-set-parameters",
            Some(json!({ "max-bandwidth": 1_u64 << 40 })),
        )
        .await?;
    monitor
        .command("migrate", Some(json!({ "uri": uri })))
        .await?;
    let written = async {
        loop {
            let state = monitor.command("query-migrate", None).await?;
            match state["status"].as_str() {
                Some("completed") => return Ok(()),
                Some("failed" | "cancelled") => bail!("cannot save the machine: {state}"),
                _ => sleep(Duration::from_millis(10)).await,
            }
        }
    };
    timeout(SAVE_LIMIT, written)
        .await
        .context("saving the machine takes too long")??;
    vm.take_disks(folder)
}

/// A machine whose agent and whose other services have started.
async fn ready(builder: &VmBuilder) -> Result<Vm> {
    let mut seen = String::new();
    for _ in 0..BOOTS {
        let vm = builder.clone().boot().await?;
        let started = async {
            vm.shell()
                .must("until pidof qemu-ga; do sleep 0.1; done")
                .await?;
            if builder.image == Image::Debian {
                vm.shell().run("systemctl is-system-running --wait").await?;
            }
            vm.wait_for_agent().await
        };
        match timeout(BOOT_LIMIT, started).await {
            Ok(done) => return done.map(|()| vm),
            Err(_) => seen = vm.console(),
        }
    }
    bail!(
        "the guest {} does not start; its console says {seen}",
        builder.image.name()
    )
}
