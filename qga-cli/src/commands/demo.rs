//! `qga demo`.

use std::process::ExitCode;

use clap::Args;

use super::Context;
use crate::show;

/// What is shown.
const LINES: [&str; 4] = [
    "ip fake",
    "exec fake -- uname -a",
    "cp fake:/etc/motd -",
    "info fake",
];

#[derive(Debug, Args)]
#[command(after_help = "Example: qga demo")]
pub(crate) struct Demo {}

impl Demo {
    #[allow(clippy::unused_self, reason = "as the other subcommands")]
    pub(crate) async fn run(
        self,
        context: &Context,
        run_line: impl AsyncFn(&str) -> anyhow::Result<ExitCode>,
    ) -> anyhow::Result<()> {
        for line in LINES {
            show::line(format!("$ qga {line}"))?;
            run_line(line).await?;
        }
        context.note(
            "`fake` is a guest that runs in this program. For a real one, write libvirt:NAME or the path of its agent's \
             socket instead; `qga list` shows what is on this host.",
        );
        Ok(())
    }
}
