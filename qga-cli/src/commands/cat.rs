//! `qga cat`.

use clap::Args;
use clap_complete::ArgValueCompleter;
use tokio::io::{AsyncWriteExt as _, copy};

use super::Context;
use crate::completing;
use crate::options::Target;

#[derive(Debug, Args)]
#[command(after_help = "Example: qga cat fake /etc/motd")]
pub(crate) struct Cat {
    #[command(flatten)]
    target: Target,
    /// The paths of the files.
    #[arg(required = true, add = ArgValueCompleter::new(completing::paths))]
    paths: Vec<String>,
}

impl Cat {
    pub(crate) async fn run(self, context: &Context) -> anyhow::Result<()> {
        let guest = context.guest(&self.target.guest).await?;
        let mut stdout = tokio::io::stdout();
        for path in self.paths {
            let mut file = guest.open(path).await?;
            copy(&mut file, &mut stdout).await?;
            stdout.flush().await?;
            file.close().await?;
        }
        Ok(())
    }
}
