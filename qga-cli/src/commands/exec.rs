//! `qga exec` and `qga attach`.

use std::future::pending;
use std::io::{self, IsTerminal as _};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use qga_commands::guest::process::{Child, Command, ExitStatus, Output};
use qga_commands::{Guest, GuestError};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::{Instant, sleep_until};

use super::Context;
use crate::exit::{self, Interrupted, TimeIsUp};
use crate::options::{Target, duration};
use crate::show;
use crate::signals::Signals;

/// How much of standard input is taken, in bytes: as much as a request carries.
const MOST_INPUT: u64 = 48 << 20;

/// Run a program in a guest, with its output as it comes.
///
/// It runs as the user of the agent, which is mostly root, without a terminal and without a shell. The exit code is the
/// program's, or 128+n if signal n has ended it. When this program is interrupted, it kills the guest's program; a second
/// interrupt leaves it running. A process that the program leaves behind and that still has its output open does not
/// hold the command.
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
    /// Leave it running, and print its number for `qga attach`.
    #[arg(short, long, conflicts_with_all = ["timeout"])]
    detach: bool,
    /// Run a line of the guest's shell; what follows `--` is $1 and so on.
    #[arg(long, value_name = "LINE")]
    sh: Option<String>,
    /// The program and its arguments.
    #[arg(last = true, value_name = "PROGRAM", required_unless_present = "sh")]
    program: Vec<String>,
}

/// Wait for the end of a program that was left running, and print what it wrote.
///
/// Only the agent that has started it knows of it, and it tells its end once.
#[derive(Debug, Args)]
pub(crate) struct Attach {
    #[command(flatten)]
    target: Target,
    /// The number that `qga exec --detach` has printed.
    #[arg(value_name = "NUMBER")]
    number: i64,
    /// Stop waiting after this time; the program runs on.
    #[arg(long, value_parser = duration, value_name = "TIME")]
    timeout: Option<Duration>,
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
        let mut command = self.command(&guest).await?;
        if self.detach {
            let process = command.start().await?;
            let number = process.pid();
            if context.is_json() {
                show::json("process", number)?;
            } else {
                show::line(number.to_string())?;
            }
            return Ok(ExitCode::SUCCESS);
        }
        match command.spawn().await {
            Ok(child) => {
                Running::new(child, self.timeout)?
                    .follow(&self.target.guest)
                    .await
            }
            Err(GuestError::Unsupported(why)) => {
                context.detail(&format!("the output comes at the end: {why}"));
                self.captured(&mut command).await
            }
            Err(error) => Err(error.into()),
        }
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

    /// Runs it where its output cannot be read meanwhile.
    async fn captured(&self, command: &mut Command) -> anyhow::Result<ExitCode> {
        command.kill_on_drop(true);
        if let Some(timeout) = self.timeout {
            command.timeout(timeout);
        }
        let output = command.output().await.map_err(|error| match error {
            GuestError::TimedOut { .. } => TimeIsUp(error.to_string()).into(),
            error => anyhow::Error::from(error),
        })?;
        print(&output).await?;
        finished(&output)
    }
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

/// A program whose output is passed on.
struct Running {
    child: Child,
    signals: Signals,
    end: Option<Instant>,
    timeout: Duration,
}

/// Why nobody waits for the program any more.
enum Stop {
    Done(io::Result<ExitStatus>),
    Signal(u8),
    Time,
}

impl Running {
    fn new(child: Child, timeout: Option<Duration>) -> anyhow::Result<Self> {
        Ok(Self {
            child,
            signals: Signals::listen()?,
            end: timeout.and_then(|timeout| Instant::now().checked_add(timeout)),
            timeout: timeout.unwrap_or_default(),
        })
    }

    async fn follow(mut self, guest: &str) -> anyhow::Result<ExitCode> {
        let (mut stdout, mut stderr) = (tokio::io::stdout(), tokio::io::stderr());
        let end = self.end;
        let stop = tokio::select! {
            done = self.child.copy_output(&mut stdout, &mut stderr) => Stop::Done(done),
            signal = self.signals.next() => Stop::Signal(signal),
            () = at(end) => Stop::Time,
        };
        match stop {
            Stop::Done(Ok(status)) => Ok(exit::of_guest(&status)),
            Stop::Done(Err(error)) => {
                self.kill(guest).await?;
                Err(unwrapped(error))
            }
            Stop::Signal(signal) => {
                self.kill(guest).await?;
                let words = "interrupted; the guest's program was killed".to_owned();
                Err(Interrupted { signal, words }.into())
            }
            Stop::Time => {
                self.kill(guest).await?;
                let timeout = humantime::format_duration(self.timeout);
                let words = format!("it has not ended within {timeout}, and was killed");
                Err(TimeIsUp(words).into())
            }
        }
    }

    /// Kills the guest's program, unless the user does not want to wait for that.
    async fn kill(&mut self, guest: &str) -> anyhow::Result<()> {
        let number = self.child.pid();
        let left = format!(
            "the guest's program runs on; to wait for its end: qga attach {guest} {number}"
        );
        let kill = async {
            self.child.kill().await?;
            self.child.wait().await
        };
        tokio::select! {
            killed = kill => killed.map(drop).with_context(|| left.clone()),
            signal = self.signals.next() => Err(Interrupted { signal, words: left }.into()),
        }
    }
}

/// Waits until then; for ever if there is no end.
async fn at(end: Option<Instant>) {
    match end {
        Some(end) => sleep_until(end).await,
        None => pending().await,
    }
}

/// The guest's error, if it is one.
fn unwrapped(error: io::Error) -> anyhow::Error {
    match error.downcast::<GuestError>() {
        Ok(error) => error.into(),
        Err(error) => error.into(),
    }
}

impl Attach {
    pub(crate) async fn run(self, context: &Context) -> anyhow::Result<ExitCode> {
        let guest = context.guest(&self.target.guest).await?;
        let mut process = guest.process(self.number);
        let end = self
            .timeout
            .and_then(|timeout| Instant::now().checked_add(timeout));
        let output = tokio::select! {
            output = process.wait() => output?,
            () = at(end) => {
                let words = "it has not ended yet, and runs on".to_owned();
                return Err(TimeIsUp(words).into());
            }
        };
        print(&output).await?;
        finished(&output)
    }
}

/// Prints the captured output of a program.
async fn print(output: &Output) -> io::Result<()> {
    let (mut stdout, mut stderr) = (tokio::io::stdout(), tokio::io::stderr());
    stdout.write_all(&output.stdout).await?;
    stdout.flush().await?;
    stderr.write_all(&output.stderr).await?;
    stderr.flush().await
}

fn finished(output: &Output) -> anyhow::Result<ExitCode> {
    anyhow::ensure!(
        !output.truncated,
        "the agent has kept only the beginning of the output; the program has ended with {}",
        output.status
    );
    Ok(exit::of_guest(&output.status))
}

/// Whether somebody looks at what is printed.
pub(crate) fn is_watched() -> bool {
    io::stderr().is_terminal()
}
