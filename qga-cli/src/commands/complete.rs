//! `qga completions` and `qga man`.

use std::io::{self, Write as _};

use clap::{Args, Command};
use clap_complete::Shell;

/// Print what a shell needs to complete this program's words.
#[derive(Debug, Args)]
#[command(
    after_help = "Example: qga completions bash > ~/.local/share/bash-completion/completions/qga"
)]
pub(crate) struct Completions {
    /// The shell.
    #[arg(value_enum)]
    shell: Shell,
}

/// Print the manual page, or that of a subcommand.
#[derive(Debug, Args)]
#[command(after_help = "Example: qga man exec | man -l -")]
pub(crate) struct Man {
    /// The subcommand.
    subcommand: Option<String>,
}

impl Completions {
    pub(crate) fn run(&self, mut program: Command) -> anyhow::Result<()> {
        let mut text = Vec::new();
        clap_complete::generate(self.shell, &mut program, "qga", &mut text);
        Ok(io::stdout().write_all(&text)?)
    }
}

impl Man {
    pub(crate) fn run(self, mut command: Command) -> anyhow::Result<()> {
        command.build();
        if let Some(name) = self.subcommand {
            let Some(found) = command.find_subcommand(&name) else {
                anyhow::bail!("there is no subcommand {name:?}");
            };
            command = found.clone();
        }
        let mut page = Vec::new();
        clap_mangen::Man::new(command).render(&mut page)?;
        Ok(io::stdout().write_all(&page)?)
    }
}
