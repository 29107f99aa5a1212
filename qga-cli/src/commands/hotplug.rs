//! `qga cpu` and `qga mem`.

use clap::{Args, Subcommand};

use super::Context;
use crate::options::Target;
use crate::show;

#[derive(Debug, Args)]
pub(crate) struct Cpu {
    #[command(subcommand)]
    what: CpuCommand,
}

#[derive(Debug, Args)]
pub(crate) struct Mem {
    #[command(subcommand)]
    what: MemCommand,
}

#[derive(Debug, Subcommand)]
enum CpuCommand {
    /// List the processors.
    Ls(Target),
    /// Use so many of them.
    Set {
        #[command(flatten)]
        target: Target,
        /// How many.
        count: usize,
    },
}

#[derive(Debug, Subcommand)]
enum MemCommand {
    /// Show how much there is, and how much is used.
    Ls(Target),
    /// Use all that is there.
    Set(Target),
}

impl Cpu {
    pub(crate) async fn run(self, context: &Context) -> anyhow::Result<()> {
        match self.what {
            CpuCommand::Ls(target) => {
                let vcpus = context.guest(&target.guest).await?.vcpus().await?;
                if context.is_json() {
                    return show::json("processors", vcpus);
                }
                let rows = vcpus.into_iter().map(|vcpu| {
                    let fixed = vcpu.can_offline == Some(false);
                    [
                        vcpu.logical_id.to_string(),
                        if vcpu.online { "used" } else { "unused" }.to_owned(),
                        if fixed { "always" } else { "" }.to_owned(),
                    ]
                });
                show::table(["number", "state", ""], rows)
            }
            CpuCommand::Set { target, count } => {
                let guest = context.guest(&target.guest).await?;
                guest.set_online_vcpus(count).await?;
                context.done()
            }
        }
    }
}

impl Mem {
    pub(crate) async fn run(self, context: &Context) -> anyhow::Result<()> {
        match self.what {
            MemCommand::Ls(target) => {
                let guest = context.guest(&target.guest).await?;
                let size = guest.memory_block_size().await?;
                let blocks = guest.memory_blocks().await?;
                let used = blocks.iter().filter(|block| block.online).count();
                let bytes = |count: usize| size.saturating_mul(count as u64);
                if context.is_json() {
                    let object = serde_json::json!({
                        "block_bytes": size, "bytes": bytes(blocks.len()), "used_bytes": bytes(used),
                    });
                    return show::json("memory", object);
                }
                let (used, all) = (show::size(bytes(used)), show::size(bytes(blocks.len())));
                show::line(format!(
                    "{used} of {all} are used, in blocks of {}",
                    show::size(size)
                ))
            }
            MemCommand::Set(target) => {
                let guest = context.guest(&target.guest).await?;
                let mut blocks = guest.memory_blocks().await?;
                blocks.retain(|block| !block.online);
                for block in &mut blocks {
                    block.online = true;
                }
                let asked = blocks.len();
                if asked == 0 {
                    return context.done();
                }
                let results = guest.set_memory_blocks(blocks).await?;
                let failed: Vec<_> = results
                    .iter()
                    .filter(|result| result.response.as_str() != "success")
                    .map(|result| result.phys_index.to_string())
                    .collect();
                anyhow::ensure!(
                    failed.is_empty(),
                    "of {asked} blocks, these are still not used: {}",
                    failed.join(", ")
                );
                context.done()
            }
        }
    }
}
