//! `qga freeze` and `qga thaw`.

use std::process::{ExitCode, ExitStatus};
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use qga_commands::guest::freeze::Thawed;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};

use super::Context;
use crate::exit::{self, Interrupted};
use crate::options::{Target, duration};
use crate::show;
use crate::signals::Signals;

/// How long a program has to end after it was asked to.
const GRACE: Duration = Duration::from_secs(2);

#[derive(Debug, Args)]
#[command(after_help = "Example: qga freeze web1 --for 30s -- lvcreate -s -n snap vg/web1")]
pub(crate) struct Freeze {
    #[command(flatten)]
    target: Target,
    /// Freeze only what is mounted here; may be given several times.
    #[arg(long = "mount", value_name = "FOLDER")]
    mounts: Vec<String>,
    /// The longest time to keep them frozen.
    #[arg(long = "for", value_parser = duration, default_value = "30s", value_name = "TIME")]
    time: Duration,
    /// The program of this host, and its arguments.
    #[arg(last = true, required = true, value_name = "PROGRAM")]
    program: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Thaw {
    #[command(flatten)]
    target: Target,
}

/// How the program of this host ended.
enum Work {
    Done(ExitStatus),
    Signal(u8),
    Time,
}

impl Freeze {
    pub(crate) async fn run(self, context: &Context) -> anyhow::Result<ExitCode> {
        let guest = context.guest(&self.target.guest).await?;
        let mut signals = Signals::listen()?;
        let frozen = if self.mounts.is_empty() {
            guest.freeze().await?
        } else {
            guest.freeze_only(&self.mounts).await?
        };
        let began = Instant::now();
        let work = self.work(&mut signals).await;
        let thawed = frozen
            .thaw()
            .await
            .context("the guest may still be frozen; try qga thaw")?;
        context.note(&format!("frozen for {:.1?}", began.elapsed()));
        check(&thawed)?;
        match work? {
            Work::Done(status) => Ok(code(status)),
            Work::Time => Ok(exit::TIMEOUT.into()),
            Work::Signal(signal) => {
                let words = "interrupted; the guest is thawed".to_owned();
                Err(Interrupted { signal, words }.into())
            }
        }
    }

    async fn work(&self, signals: &mut Signals) -> anyhow::Result<Work> {
        if let Some(signal) = signals.pending() {
            return Ok(Work::Signal(signal));
        }
        let mut words = self.program.iter();
        let program = words.next().context("there is no program")?;
        let mut child = Command::new(program)
            .args(words)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("{program} cannot be started"))?;
        tokio::select! {
            status = child.wait() => Ok(Work::Done(status?)),
            signal = signals.next() => {
                end(&mut child).await?;
                Ok(Work::Signal(signal))
            }
            () = sleep(self.time) => {
                end(&mut child).await?;
                Ok(Work::Time)
            }
        }
    }
}

/// Ends a program, with force where it does not heed a request.
async fn end(child: &mut Child) -> anyhow::Result<()> {
    #[cfg(unix)]
    if let Some(pid) = child
        .id()
        .and_then(|pid| i32::try_from(pid).ok())
        .and_then(rustix::process::Pid::from_raw)
    {
        // It may just have ended.
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        if timeout(GRACE, child.wait()).await.is_ok() {
            return Ok(());
        }
    }
    Ok(child.kill().await?)
}

fn code(status: ExitStatus) -> ExitCode {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return exit::of_signal(signal);
    }
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    code.unwrap_or(exit::FAILED).into()
}

/// A thaw that thawed less than was frozen is a failure.
fn check(thawed: &Thawed) -> anyhow::Result<()> {
    if let Some(error) = &thawed.error {
        anyhow::bail!("not all filesystems were thawed: {}", error.desc);
    }
    anyhow::ensure!(
        thawed.is_complete(),
        "the guest has thawed {:?} of {:?} filesystems: while they were to be frozen, something else thawed them",
        thawed.thawed,
        thawed.frozen
    );
    Ok(())
}

impl Thaw {
    pub(crate) async fn run(self, context: &Context) -> anyhow::Result<()> {
        let guest = context.guest(&self.target.guest).await?;
        let thawed = guest.thaw().await?;
        if let Some(error) = &thawed.error {
            anyhow::bail!("not all filesystems were thawed: {}", error.desc);
        }
        if context.is_json() {
            return show::json("thawed", thawed.thawed);
        }
        Ok(())
    }
}
