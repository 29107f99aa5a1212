//! `qga each`.

use std::env;
use std::io::{self, Write as _};
use std::process::{ExitCode, Stdio};

use anyhow::Context as _;
use clap::Args;
use clap_complete::ArgValueCompleter;
use serde_json::json;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::broadcast;
use tokio::task::JoinSet;

use super::Context;
use crate::completing;
use crate::exit;
use crate::show::{self, visible};
use crate::signals::Signals;

/// Stands for the guest's name.
const NAME: &str = "{}";
/// How many signals may wait to be passed on.
const SIGNALS: usize = 16;
/// What asks a program to end.
const TERMINATE: u8 = 15;

/// How much of a line is shown at once, in bytes.
const LONGEST_LINE: u64 = 64 << 10;

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  qga each 'web*' -- exec -- uptime\n  qga each 'web*' -- cp :/etc/hosts ./{}.hosts"
)]
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
        self.check_targets(guests.len())?;
        let total = guests.len();
        let mut waiting = guests.into_iter();
        let mut running = JoinSet::new();
        let mut signals = Signals::listen()?;
        let (signal_all, _) = broadcast::channel(SIGNALS);
        let (mut stopped_by, mut failure) = (None, None);
        let (mut succeeded, mut failed) = (0_usize, 0_usize);
        loop {
            while running.len() < self.concurrency.into()
                && self.stop_after.is_none_or(|most| failed < most)
                && stopped_by.is_none()
            {
                let Some((name, address)) = waiting.next() else {
                    break;
                };
                let command = self.command(context, &name, &address)?;
                running.spawn(run(
                    name,
                    command,
                    context.is_json(),
                    signal_all.subscribe(),
                ));
            }
            let done = tokio::select! {
                done = running.join_next() => done,
                signal = signals.next() => {
                    stopped_by.get_or_insert(signal);
                    // It is no error if nobody runs any more.
                    let _ = signal_all.send(signal);
                    continue;
                }
            };
            let Some(done) = done else {
                break;
            };
            let done = match done? {
                Ok(done) => done,
                Err(error) => {
                    // Nobody reads on. The others clean up before they end.
                    failure.get_or_insert(error);
                    stopped_by.get_or_insert(TERMINATE);
                    let _ = signal_all.send(TERMINATE);
                    continue;
                }
            };
            if done.code == Some(0) {
                succeeded += 1;
            } else {
                failed += 1;
            }
            report(context, &done)?;
        }
        if let Some(failure) = failure {
            return Err(failure);
        }
        let left = total - succeeded - failed;
        let mut summary = format!("{succeeded} of {total} succeeded, {failed} failed");
        if left > 0 {
            summary = format!("{summary}, {left} were not begun");
        }
        context.note(&summary);
        Ok(match stopped_by {
            Some(signal) => exit::of_signal(signal),
            None if succeeded == total => ExitCode::SUCCESS,
            None => 1.into(),
        })
    }

    fn is_copy(&self) -> bool {
        self.subcommand.first().is_some_and(|word| word == "cp")
    }

    /// Several guests may not write to one file.
    fn check_targets(&self, guests: usize) -> anyhow::Result<()> {
        let target = self.subcommand.last().filter(|_| self.is_copy());
        let is_one = target.is_some_and(|word| !word.starts_with(':') && !word.contains(NAME));
        anyhow::ensure!(
            guests < 2 || !is_one,
            "{guests} guests would be copied to the same place; put {NAME} into the target, which stands for the guest's name"
        );
        Ok(())
    }

    /// This program again, with one guest.
    fn command(&self, context: &Context, name: &str, address: &str) -> anyhow::Result<Command> {
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
        // What programs print is passed on line by line.
        if context.is_json() && !["exec", "attach"].contains(&subcommand.as_str()) {
            command.args(["--output", "json"]);
        }
        if context.is_verbose {
            command.arg("--verbose");
        }
        if context.is_quiet {
            command.arg("--quiet");
        }
        command.arg(subcommand);
        if self.is_copy() {
            command.args(rest.iter().map(|word| place_of(word, name, address)));
        } else {
            command.arg(address).args(rest);
        }
        // The interrupts of a terminal are passed on from here, once.
        #[cfg(unix)]
        command.process_group(0);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        Ok(command)
    }
}

/// What a word of `cp` means for one guest.
fn place_of(word: &str, name: &str, address: &str) -> String {
    if word.starts_with(':') {
        return format!("{address}{word}");
    }
    // An address may stand for a name, and is no path.
    let name = name.replace('/', "_");
    word.replace(NAME, &name)
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

async fn run(
    name: String,
    mut command: Command,
    is_json: bool,
    mut signals: broadcast::Receiver<u8>,
) -> anyhow::Result<Done> {
    let mut child = command
        .spawn()
        .context("this program cannot be started again")?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let mut is_told = false;
    let printed = {
        let printing = async {
            let (out, err) = tokio::join!(
                pass_on(&name, stdout, Stream::Out, is_json),
                pass_on(&name, stderr, Stream::Err, is_json)
            );
            out.and(err)
        };
        tokio::pin!(printing);
        loop {
            tokio::select! {
                printed = &mut printing => break printed,
                Ok(signal) = signals.recv() => {
                    is_told = true;
                    send(&child, signal);
                }
            }
        }
    };
    // A second signal would have it leave the guest's program running.
    if printed.is_err() && !is_told {
        send(&child, TERMINATE);
    }
    let status = child.wait().await?;
    printed?;
    Ok(Done {
        code: status.code(),
        name,
    })
}

/// Passes a signal on. Whoever has ended already needs none.
#[cfg(unix)]
fn send(child: &Child, signal: u8) {
    use rustix::process::{Pid, Signal, kill_process};
    let pid = child.id().and_then(|pid| i32::try_from(pid).ok());
    let pid = pid.and_then(Pid::from_raw);
    if let (Some(pid), Some(signal)) = (pid, Signal::from_named_raw(signal.into())) {
        let _ = kill_process(pid, signal);
    }
}

#[cfg(not(unix))]
fn send(_: &Child, _: u8) {}

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
