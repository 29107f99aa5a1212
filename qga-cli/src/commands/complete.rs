//! `qga completions` and `qga man`.

use std::io::{self, Write as _};

use anyhow::Context as _;
use clap::{Args, Command};
use clap_complete::Shell;
use clap_complete::env::Shells;

/// What the shell sets when it asks this program for words.
const VARIABLE: &str = "COMPLETE";
/// Bash takes a colon for the end of a word, unless it is told not to.
const COLONS: &str = "COMP_WORDBREAKS=${COMP_WORDBREAKS//:}\n";

#[derive(Debug, Args)]
#[command(after_help = "Example: echo 'source <(qga completions bash)' >> ~/.bashrc")]
pub(crate) struct Completions {
    /// The shell.
    #[arg(value_enum)]
    shell: Shell,
}

#[derive(Debug, Args)]
#[command(after_help = "Example: qga man exec | man -l -")]
pub(crate) struct Man {
    /// The subcommand.
    subcommand: Option<String>,
}

impl Completions {
    pub(crate) fn run(&self) -> anyhow::Result<()> {
        let name = self.shell.to_string();
        let shells = Shells::builtins();
        let shell = shells
            .completer(&name)
            .context("no words are completed for this shell")?;
        let mut text = Vec::new();
        if self.shell == Shell::Bash {
            text.extend_from_slice(COLONS.as_bytes());
        }
        shell.write_registration(VARIABLE, "qga", "qga", "qga", &mut text)?;
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
