//! `qga attach`.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use qga_commands::GuestError;
use qga_commands::guest::process::{Output, Process, ProcessToken};
use tokio::time::{Instant, sleep};

use super::Context;
use super::exec::{at, captured, print};
use crate::exit::{self, Interrupted, TimeIsUp};
use crate::options::{Target, duration};
use crate::signals::Signals;

const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// How many questions in a row may fail.
const MOST_FAILURES: u32 = 3;

#[derive(Debug, Args)]
#[command(after_help = "Example: qga attach web1 $(qga exec --detach web1 -- make -C /srv)")]
pub(crate) struct Attach {
    #[command(flatten)]
    target: Target,
    /// What `qga exec` has printed. If it is only the number of a process, it is not known whether this agent has started
    /// that.
    #[arg(value_name = "TOKEN")]
    token: ProcessToken,
    /// Stop waiting after this time; the program runs on.
    #[arg(long, value_parser = duration, value_name = "TIME")]
    timeout: Option<Duration>,
}

impl Attach {
    pub(crate) async fn run(self, context: &Context) -> anyhow::Result<ExitCode> {
        let guest = context.guest(&self.target.guest).await?;
        let end = self
            .timeout
            .and_then(|timeout| Instant::now().checked_add(timeout));
        let mut process = guest
            .attach(&self.token)
            .await
            .with_context(|| format!("{} cannot be attached to", self.token))?;
        if !self.token.names_agent() {
            context.detail("nothing tells whether this agent has started the process");
        }
        let mut signals = Signals::listen()?;
        let output = wait(&mut process, &mut signals, end).await?;
        if context.is_json() && !output.truncated {
            captured::print(&output.status, &output.stdout, &output.stderr)?;
            return Ok(exit::of_guest(&output.status));
        }
        let (mut stdout, mut stderr) = (tokio::io::stdout(), tokio::io::stderr());
        let status = print(&output, &mut stdout, &mut stderr).await?;
        Ok(exit::of_guest(&status))
    }
}

/// Waits for its end. It is given up only between two questions, since the agent answers once.
async fn wait(
    process: &mut Process,
    signals: &mut Signals,
    end: Option<Instant>,
) -> anyhow::Result<Output> {
    let mut pause = FIRST_PAUSE;
    let mut failures = 0;
    loop {
        match process.try_wait().await {
            Ok(Some(output)) => return Ok(output),
            Ok(None) => failures = 0,
            Err(error) if failures < MOST_FAILURES && is_of_channel(&error) => failures += 1,
            Err(error) => return Err(error.into()),
        }
        tokio::select! {
            () = sleep(pause) => pause = (pause * 2).min(LONGEST_PAUSE),
            signal = signals.next() => {
                let words = "interrupted; the program runs on".to_owned();
                return Err(Interrupted { signal, words }.into());
            }
            () = at(end) => {
                return Err(TimeIsUp("it has not ended yet, and runs on".to_owned()).into());
            }
        }
    }
}

fn is_of_channel(error: &GuestError) -> bool {
    error
        .command_error()
        .is_some_and(|error| error.agent_error().is_none())
}
