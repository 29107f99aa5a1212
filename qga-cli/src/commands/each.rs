//! `qga each`.

use std::env;
use std::io::{self, Write as _};
use std::process::{ExitCode, Stdio};

use anyhow::Context as _;
use clap::Args;
use clap_complete::ArgValueCompleter;
use serde_json::json;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::process::Command;
use tokio::task::JoinSet;

use super::Context;
use crate::completing;
use crate::show::{self, visible};

/// How much of a line is shown at once, in bytes.
const LONGEST_LINE: u64 = 64 << 10;

/// Run a subcommand with each of several guests at once.
///
/// Each line of its output begins with the guest's name. The exit code is 0 if all have succeeded, and 1 otherwise; a
/// summary says how many have.
#[derive(Debug, Args)]
#[command(after_help = "Example: qga each 'web*' -- exec -- uptime")]
pub(crate) struct Each {
    /// Names with `*` and `?`, groups, or addresses.
    #[arg(required = true, value_name = "GUESTS", add = ArgValueCompleter::new(completing::groups))]
    guests: Vec<String>,
    /// With how many guests at once.
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..=1024))]
    concurrency: u16,
    /// Begin with no further guest after so many failures.
    #[arg(long, value_name = "FAILURES")]
    stop_after: Option<usize>,
    /// The subcommand and what belongs to it, without the guest.
    #[arg(last = true, required = true, value_name = "SUBCOMMAND")]
    subcommand: Vec<String>,
}

/// How it went with one guest.
struct Done {
    name: String,
    /// `None` if it was ended by a signal.
    code: Option<i32>,
}

impl Each {
    pub(crate) async fn run(self, context: &Context) -> anyhow::Result<ExitCode> {
        let mut guests = Vec::new();
        for word in &self.guests {
            for found in context.config.matching(word)? {
                if !guests.contains(&found) {
                    guests.push(found);
                }
            }
        }
        let total = guests.len();
        let mut waiting = guests.into_iter();
        let mut running = JoinSet::new();
        let (mut succeeded, mut failed) = (0_usize, 0_usize);
        loop {
            while running.len() < self.concurrency.into()
                && self.stop_after.is_none_or(|most| failed < most)
            {
                let Some((name, address)) = waiting.next() else {
                    break;
                };
                running.spawn(run(
                    name,
                    self.command(context, &address)?,
                    context.is_json(),
                ));
            }
            let Some(done) = running.join_next().await else {
                break;
            };
            let done = done??;
            if done.code == Some(0) {
                succeeded += 1;
            } else {
                failed += 1;
            }
            report(context, &done)?;
        }
        let left = total - succeeded - failed;
        let mut summary = format!("{succeeded} of {total} succeeded, {failed} failed");
        if left > 0 {
            summary = format!("{summary}, {left} were not begun");
        }
        context.note(&summary);
        Ok(if succeeded == total {
            ExitCode::SUCCESS
        } else {
            1.into()
        })
    }

    /// This program again, with one guest.
    fn command(&self, context: &Context, address: &str) -> anyhow::Result<Command> {
        let (subcommand, rest) = self
            .subcommand
            .split_first()
            .context("there is no subcommand")?;
        let program = env::current_exe().context("this program cannot be found")?;
        let mut command = Command::new(program);
        command.args([
            "--connect-timeout",
            &format!("{}ms", context.connect_timeout.as_millis()),
        ]);
        if context.is_json() {
            command.args(["--output", "json"]);
        }
        if context.is_quiet {
            command.arg("--quiet");
        }
        command
            .arg(subcommand)
            .arg(address)
            .args(rest)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        Ok(command)
    }
}

/// A line for a guest that has failed; for each one as JSON.
fn report(context: &Context, done: &Done) -> anyhow::Result<()> {
    if context.is_json() {
        let mut line =
            json!({"version": 1, "guest": done.name, "exit_code": done.code}).to_string();
        line.push('\n');
        return Ok(io::stdout().write_all(line.as_bytes())?);
    }
    match done.code {
        Some(0) => {}
        Some(code) => context.note(&format!("{}: exit code {code}", done.name)),
        None => context.note(&format!("{}: ended by a signal", done.name)),
    }
    Ok(())
}

async fn run(name: String, mut command: Command, is_json: bool) -> anyhow::Result<Done> {
    let mut child = command
        .spawn()
        .context("this program cannot be started again")?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let (out, err) = tokio::join!(
        pass_on(&name, stdout, Stream::Out, is_json),
        pass_on(&name, stderr, Stream::Err, is_json)
    );
    out?;
    err?;
    let status = child.wait().await?;
    Ok(Done {
        code: status.code(),
        name,
    })
}

#[derive(Clone, Copy)]
enum Stream {
    Out,
    Err,
}

/// Prints each line with the guest's name before it.
async fn pass_on(
    name: &str,
    stream: Option<impl AsyncRead + Unpin>,
    to: Stream,
    is_json: bool,
) -> anyhow::Result<()> {
    let Some(stream) = stream else { return Ok(()) };
    let mut reader = BufReader::new(stream);
    loop {
        let mut line = Vec::new();
        let mut limited = tokio::io::AsyncReadExt::take(&mut reader, LONGEST_LINE);
        if limited.read_until(b'\n', &mut line).await? == 0 {
            return Ok(());
        }
        let text = String::from_utf8_lossy(&line);
        let text = text.trim_end_matches('\n');
        match to {
            Stream::Out if is_json => {
                let encoded = show::base64_unless_text(&line);
                let object = json!({
                    "version": 1, "guest": name, "stdout": text, "stdout_base64": encoded,
                });
                writeln!(io::stdout(), "{object}")?;
            }
            Stream::Out => writeln!(io::stdout(), "{}: {}", visible(name), visible(text))?,
            Stream::Err => writeln!(io::stderr(), "{}: {}", visible(name), visible(text))?,
        }
    }
}
