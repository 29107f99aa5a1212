//! `qga rm` and `qga mkdir`.

use clap::Args;
use clap_complete::ArgValueCompleter;

use super::Context;
use crate::completing;
use crate::options::Target;

#[derive(Debug, Args)]
pub(crate) struct Rm {
    #[command(flatten)]
    target: Target,
    /// The paths of the files.
    #[arg(required = true, add = ArgValueCompleter::new(completing::paths))]
    paths: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Mkdir {
    #[command(flatten)]
    target: Target,
    /// The paths of the folders.
    #[arg(required = true, add = ArgValueCompleter::new(completing::paths))]
    paths: Vec<String>,
}

impl Rm {
    pub(crate) async fn run(self, context: &Context) -> anyhow::Result<()> {
        let guest = context.guest(&self.target.guest).await?;
        for path in self.paths {
            guest.remove_file(path).await?;
        }
        context.done()
    }
}

impl Mkdir {
    pub(crate) async fn run(self, context: &Context) -> anyhow::Result<()> {
        let guest = context.guest(&self.target.guest).await?;
        for path in self.paths {
            guest.create_dir_all(path).await?;
        }
        context.done()
    }
}
