//! Options and arguments that subcommands have in common.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use clap_complete::ArgValueCompleter;

use crate::completing;
use crate::show::Format;

/// What each subcommand heeds.
#[derive(Debug, Args)]
#[command(next_help_heading = "Options of each subcommand")]
pub(crate) struct Common {
    /// How to print results.
    #[arg(
        short,
        long,
        global = true,
        value_enum,
        default_value_t,
        value_name = "FORMAT"
    )]
    pub(crate) output: Format,
    /// Say nothing but the result and errors.
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
    /// Show what is sent to the guest's agent and what it answers, on standard error. Secrets, and what files and
    /// programs hold, are withheld.
    #[arg(short, long, global = true)]
    pub(crate) verbose: bool,
    /// The address of QEMU's monitor (QMP) of the guest's machine. It proves what becomes of the machine, and ends a wait
    /// that is of no use.
    #[arg(long, global = true, value_name = "ADDR")]
    pub(crate) monitor: Option<String>,
    /// How long to try to reach a guest.
    #[arg(long, global = true, value_parser = duration, default_value = "10s", value_name = "TIME")]
    pub(crate) connect_timeout: Duration,
    /// The configuration, instead of ~/.config/qga/config.toml.
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

// The guest that a subcommand is about. As a doc comment, clap would show that as what the subcommand does.
#[derive(Debug, Args)]
pub(crate) struct Target {
    /// A name, the path of a socket, or an address.
    #[arg(value_name = "ADDR", add = ArgValueCompleter::new(completing::guests))]
    pub(crate) guest: String,
}

/// Reads `30s`, `5m` or `1h 30m`.
pub(crate) fn duration(text: &str) -> Result<Duration, humantime::DurationError> {
    humantime::parse_duration(text)
}
