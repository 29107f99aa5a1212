//! `qga shutdown`, `qga reboot` and `qga suspend`.

use std::time::Duration;

use clap::{Args, ValueEnum};
use qga_commands::Guest;
use qga_commands::guest::power::{Outcome, Transition};
use qga_core::Power;
use qga_qmp::{Machine, machine};

use super::Context;
use crate::exit::TimeIsUp;
use crate::options::{Target, duration};
use crate::show;

// What the subcommands of this file have in common. As a doc comment, clap would show that as what each does.
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

#[derive(Debug, Args)]
pub(crate) struct Shutdown {
    #[command(flatten)]
    options: Options,
}

#[derive(Debug, Args)]
pub(crate) struct Reboot {
    #[command(flatten)]
    options: Options,
}

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

/// How a guest is to go.
#[derive(Clone, Copy)]
enum Way {
    Off,
    Reboot,
    Ram,
    Disk,
    Both,
}

/// What became of a guest, and by what that is known.
struct Ended {
    outcome: Outcome,
    proof: Proof,
}

enum Proof {
    /// By this event of QEMU.
    Event(String),
    /// QEMU or libvirt says so.
    State,
    /// It is what the agent's channel shows.
    Assumed,
}

impl Shutdown {
    pub(crate) async fn run(self, context: &Context) -> anyhow::Result<()> {
        let wanted = &[Outcome::Off];
        self.options.carry_out(context, Way::Off, wanted).await
    }
}

impl Reboot {
    pub(crate) async fn run(self, context: &Context) -> anyhow::Result<()> {
        let wanted = &[Outcome::Back];
        self.options.carry_out(context, Way::Reboot, wanted).await
    }
}

impl Suspend {
    pub(crate) async fn run(self, context: &Context) -> anyhow::Result<()> {
        let way = match self.to {
            Memory::Ram => Way::Ram,
            Memory::Disk => Way::Disk,
            Memory::Both => Way::Both,
        };
        let wanted = &[Outcome::Suspended, Outcome::Off];
        self.options.carry_out(context, way, wanted).await
    }
}

impl Options {
    async fn carry_out(
        &self,
        context: &Context,
        way: Way,
        wanted: &[Outcome],
    ) -> anyhow::Result<()> {
        if self.no_wait {
            let guest = context.guest(&self.target.guest).await?;
            way.of_guest(&guest).send().await?;
            if context.is_json() {
                show::json("outcome", "sent")?;
            }
            return Ok(());
        }
        let ended = if let Some(machine) = context.machine(&self.target.guest).await? {
            way.of_machine(&machine, self.timeout).await?
        } else {
            let guest = context.guest_and_machine(&self.target.guest).await?;
            way.seen(&guest, self.timeout).await?
        };
        ended.print(context)?;
        let outcome = ended.outcome;
        if !wanted.contains(&outcome) {
            return Err(TimeIsUp(format!("it was not seen to work: {outcome}")).into());
        }
        Ok(())
    }
}

impl Way {
    fn of_guest(self, guest: &Guest) -> Transition {
        match self {
            Self::Off => guest.shutdown(),
            Self::Reboot => guest.reboot(),
            Self::Ram => guest.suspend_ram(),
            Self::Disk => guest.suspend_disk(),
            Self::Both => guest.suspend_hybrid(),
        }
    }

    async fn of_machine(self, machine: &Machine, timeout: Duration) -> anyhow::Result<Ended> {
        let transition = match self {
            Self::Off => machine.shutdown(),
            Self::Reboot => machine.reboot(),
            Self::Ram => machine.suspend(),
            Self::Disk => machine.hibernate(),
            Self::Both => machine.suspend_hybrid(),
        };
        let ending = transition.timeout(timeout).await?;
        Ok(Ended {
            outcome: ending.outcome,
            proof: match ending.proof {
                machine::Proof::Event(event) => Proof::Event(event.kind.name().to_owned()),
                machine::Proof::State(_) => Proof::State,
                _ => Proof::Assumed,
            },
        })
    }

    /// What becomes of a guest without QEMU's monitor. Libvirt may tell it.
    async fn seen(self, guest: &Guest, timeout: Duration) -> anyhow::Result<Ended> {
        let states = guest.client().machine();
        let told = || states.as_ref().map(|states| *states.borrow());
        let before = told().unwrap_or_default();
        let outcome = self.of_guest(guest).timeout(timeout).await?;
        let now = told().unwrap_or_default();
        let is_told = match outcome {
            Outcome::Off => now.power == Power::Off,
            Outcome::Suspended | Outcome::Panicked => true,
            Outcome::Back => now.resets > before.resets,
            _ => false,
        };
        let proof = if is_told {
            Proof::State
        } else {
            Proof::Assumed
        };
        Ok(Ended { outcome, proof })
    }
}

impl Ended {
    fn print(&self, context: &Context) -> anyhow::Result<()> {
        let (proof, event) = match &self.proof {
            Proof::Event(event) => ("event", Some(event)),
            Proof::State => ("state", None),
            Proof::Assumed => ("assumed", None),
        };
        if context.is_json() {
            return show::json_members([
                ("outcome", name(self.outcome).into()),
                ("proof", proof.into()),
                ("event", event.cloned().into()),
            ]);
        }
        let proof = match &self.proof {
            Proof::Event(event) => format!("proven: QEMU has told {event}"),
            Proof::State => "proven: its host says so".to_owned(),
            Proof::Assumed => "assumed: only the agent's channel shows it".to_owned(),
        };
        show::line(format!("{} ({proof})", self.outcome))
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
