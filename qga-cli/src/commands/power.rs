//! `qga shutdown`, `qga reboot` and `qga suspend`.

use std::time::Duration;

use clap::{Args, ValueEnum};
use qga_commands::guest::power::{Outcome, Transition};

use super::Context;
use crate::exit::TimeIsUp;
use crate::options::{Target, duration};
use crate::show;

/// What the subcommands of this file have in common.
#[derive(Debug, Args)]
struct Options {
    #[command(flatten)]
    target: Target,
    /// How long to wait for the outcome.
    #[arg(long, value_parser = duration, default_value = "2m", value_name = "TIME")]
    timeout: Duration,
    /// Only ask for it, and do not wait.
    #[arg(long)]
    no_wait: bool,
}

/// Shut a guest down, and wait until it is off.
#[derive(Debug, Args)]
pub(crate) struct Shutdown {
    #[command(flatten)]
    options: Options,
}

/// Start a guest again, and wait until its agent is back.
#[derive(Debug, Args)]
pub(crate) struct Reboot {
    #[command(flatten)]
    options: Options,
}

/// Put a guest to sleep, and wait until it sleeps.
///
/// Libvirt tells when it does. Over other channels an agent that falls silent is all that can be seen, and is taken for it.
#[derive(Debug, Args)]
pub(crate) struct Suspend {
    #[command(flatten)]
    options: Options,
    /// Where its state is kept.
    #[arg(long, value_enum, default_value = "ram")]
    to: Memory,
}

/// Where a sleeping guest has its state.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Memory {
    /// In its memory.
    Ram,
    /// On its disk.
    Disk,
    /// In both.
    Both,
}

impl Shutdown {
    pub(crate) async fn run(self, context: &Context) -> anyhow::Result<()> {
        let guest = context
            .guest_and_machine(&self.options.target.guest)
            .await?;
        self.options
            .carry_out(context, guest.shutdown(), &[Outcome::Off])
            .await
    }
}

impl Reboot {
    pub(crate) async fn run(self, context: &Context) -> anyhow::Result<()> {
        let guest = context
            .guest_and_machine(&self.options.target.guest)
            .await?;
        self.options
            .carry_out(context, guest.reboot(), &[Outcome::Back])
            .await
    }
}

impl Suspend {
    pub(crate) async fn run(self, context: &Context) -> anyhow::Result<()> {
        let guest = context
            .guest_and_machine(&self.options.target.guest)
            .await?;
        let transition = match self.to {
            Memory::Ram => guest.suspend_ram(),
            Memory::Disk => guest.suspend_disk(),
            Memory::Both => guest.suspend_hybrid(),
        };
        self.options
            .carry_out(context, transition, &[Outcome::Suspended, Outcome::Off])
            .await
    }
}

impl Options {
    async fn carry_out(
        &self,
        context: &Context,
        transition: Transition,
        wanted: &[Outcome],
    ) -> anyhow::Result<()> {
        if self.no_wait {
            transition.send().await?;
            return Ok(());
        }
        let outcome = transition.timeout(self.timeout).await?;
        let name = name(outcome);
        if context.is_json() {
            show::json("outcome", name)?;
        } else {
            show::line(outcome.to_string())?;
        }
        let is_seen = wanted.contains(&outcome);
        if !is_seen {
            return Err(TimeIsUp(format!("it was not seen to work: {outcome}")).into());
        }
        Ok(())
    }
}

fn name(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Back => "back",
        Outcome::Off => "off",
        Outcome::Panicked => "panicked",
        Outcome::Silent => "silent",
        Outcome::StillRunning => "still-running",
        Outcome::Suspended => "suspended",
        _ => "other",
    }
}
