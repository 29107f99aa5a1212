//! `qga exec`.

pub(crate) mod captured;
mod follow;
#[cfg(test)]
mod tests;

use std::future::pending;
use std::io::{self, IsTerminal as _};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use qga_commands::Guest;
use qga_commands::guest::process::{Command, ExitStatus};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWrite};
use tokio::time::{Instant, sleep_until};

use super::Context;
use crate::exit;
use crate::options::{Target, duration};
use crate::show;
use crate::signals::Signals;

use captured::Captured;
use follow::Follow;
pub(crate) use follow::print;

/// How much of standard input is taken, in bytes: as much as a request carries.
const MOST_INPUT: u64 = 48 << 20;

#[derive(Debug, Args)]
#[command(after_help = "Example: qga exec fake -- uname -a")]
pub(crate) struct Exec {
    #[command(flatten)]
    target: Target,
    /// Pass standard input on, up to its end; the program starts once that has come.
    #[arg(short, long)]
    interactive: bool,
    /// There is no terminal behind an agent; this only says so.
    #[arg(short, long)]
    tty: bool,
    /// Set an environment variable.
    #[arg(short, long, value_name = "NAME=VALUE", value_parser = variable)]
    env: Vec<(String, String)>,
    /// Run it in this folder of the guest.
    #[arg(long, value_name = "FOLDER")]
    cwd: Option<String>,
    /// Kill it after this time; the exit code is 124 then.
    #[arg(long, value_parser = duration, value_name = "TIME")]
    timeout: Option<Duration>,
    /// Leave it running, and print a token for `qga attach`: its number, and which agent has started it.
    #[arg(short, long, conflicts_with_all = ["timeout"])]
    detach: bool,
    /// Run a line of the guest's shell; what follows `--` is $1 and so on.
    #[arg(long, value_name = "LINE")]
    sh: Option<String>,
    /// The program and its arguments.
    #[arg(last = true, value_name = "PROGRAM", required_unless_present = "sh")]
    program: Vec<String>,
}

fn variable(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("it is not NAME=VALUE".to_owned()),
    }
}

impl Exec {
    pub(crate) async fn run(self, context: &Context) -> anyhow::Result<ExitCode> {
        anyhow::ensure!(
            !self.tty,
            "there is no terminal behind an agent; use ssh, or the machine's console"
        );
        let guest = context.guest(&self.target.guest).await?;
        let command = self.command(&guest).await?;
        if self.detach {
            return detach(context, &command).await;
        }
        if context.is_json() {
            let (mut stdout, mut stderr) = (Captured::default(), Captured::default());
            let followed = self.follow(context, &command, &mut stdout, &mut stderr);
            let status = followed.await?;
            captured::print(&status, stdout.bytes(), stderr.bytes())?;
            return Ok(exit::of_guest(&status));
        }
        let (mut stdout, mut stderr) = (tokio::io::stdout(), tokio::io::stderr());
        let followed = self.follow(context, &command, &mut stdout, &mut stderr);
        Ok(exit::of_guest(&followed.await?))
    }

    async fn follow<O, E>(
        &self,
        context: &Context,
        command: &Command,
        stdout: &mut O,
        stderr: &mut E,
    ) -> anyhow::Result<ExitStatus>
    where
        O: AsyncWrite + Unpin,
        E: AsyncWrite + Unpin,
    {
        let mut signals = Signals::listen()?;
        let follow = Follow {
            stdout,
            stderr,
            signals: &mut signals,
            timeout: self.timeout,
            guest: &self.target.guest,
            detail: &|words| context.detail(words),
        };
        follow.run(command).await
    }

    async fn command(&self, guest: &Guest) -> anyhow::Result<Command> {
        let mut words = self.program.iter();
        let mut command = match &self.sh {
            Some(line) => {
                let mut command = guest.command("/bin/sh");
                command.args(["-c", line.as_str(), "sh"]);
                command
            }
            None => guest.command(words.next().context("there is no program")?),
        };
        command.args(words);
        for (name, value) in &self.env {
            command.env(name, value);
        }
        if let Some(folder) = &self.cwd {
            command.current_dir(folder);
        }
        if self.interactive {
            command.stdin(read_input().await?);
        }
        Ok(command)
    }
}

/// Leaves it running.
async fn detach(context: &Context, command: &Command) -> anyhow::Result<ExitCode> {
    let token = command.detach().await?;
    if !token.names_agent() {
        context.note("the agent does not tell which one it is; once it is restarted, the number means nothing");
    }
    if context.is_json() {
        let process = json!({"token": token.to_string(), "number": token.pid()});
        show::json("process", process)?;
    } else {
        show::line(token.to_string())?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn read_input() -> anyhow::Result<Vec<u8>> {
    let mut input = Vec::new();
    let mut stdin = tokio::io::stdin().take(MOST_INPUT + 1);
    stdin
        .read_to_end(&mut input)
        .await
        .context("standard input cannot be read")?;
    anyhow::ensure!(
        input.len() as u64 <= MOST_INPUT,
        "standard input is longer than 48 MiB, which is more than an agent takes; copy it into a file of the guest"
    );
    Ok(input)
}

/// Waits until then; for ever if there is no end.
pub(crate) async fn at(end: Option<Instant>) {
    match end {
        Some(end) => sleep_until(end).await,
        None => pending().await,
    }
}

/// Whether somebody looks at what is printed.
pub(crate) fn is_watched() -> bool {
    io::stderr().is_terminal()
}
