use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use super::fault_spec::FaultSpec;
use crate::Profile;

/// A fake QEMU guest agent for tests.
///
/// Prints its address on a line of its own as soon as clients can connect, and serves until it
/// gets SIGINT or SIGTERM.
#[derive(Debug, Parser)]
#[command(
    version,
    args_conflicts_with_subcommands = true,
    after_help = "Faults, orders, the guest file and cassettes are described in PROGRAM.md."
)]
pub(super) struct Arguments {
    #[command(subcommand)]
    pub(super) task: Option<Task>,
    #[command(flatten)]
    pub(super) serve: Serve,
}

#[derive(Debug, Subcommand)]
pub(super) enum Task {
    /// Stand between a client and a real agent, and write down what they say.
    Record(Record),
    /// Answer as the agent did that was recorded.
    Replay(Replay),
}

#[derive(Debug, Args)]
pub(super) struct Serve {
    /// Where to listen: unix:PATH or tcp:HOST:PORT; port 0 is any free one.
    #[arg(long, value_name = "ADDRESS", required_unless_present = "agents")]
    pub(super) listen: Option<String>,
    #[command(flatten)]
    pub(super) agent: Agent,
    /// Where to take orders from the test: unix:PATH or tcp:HOST:PORT.
    #[arg(long, value_name = "ADDRESS")]
    pub(super) control: Option<String>,
    /// Serve so many agents, each on a socket of its own.
    #[arg(long, value_name = "NUMBER", requires = "dir", conflicts_with_all = ["listen", "control"])]
    pub(super) agents: Option<usize>,
    /// The folder for the sockets of --agents: agent-0.sock and so on.
    #[arg(long, value_name = "FOLDER")]
    pub(super) dir: Option<PathBuf>,
}

/// What an agent is like.
#[derive(Debug, Args)]
pub(super) struct Agent {
    /// The agent to behave like: 3.1, 7.2, 10.0, 10.0.13, 11.1, rhel9, windows or freebsd.
    #[arg(long, default_value_t, value_name = "NAME")]
    pub(super) profile: Profile,
    /// A TOML file that says what the guest is like.
    #[arg(long, value_name = "FILE")]
    pub(super) guest: Option<PathBuf>,
    /// What goes wrong, and with which reply: FAULT[+FAULT...][@WHEN].
    ///
    /// WHEN is a number (that reply), xNUMBER (so many), 10% or 10%/SEED (by chance), a command's
    /// name (each of its replies) or always; without it it is the next reply.
    #[arg(long, value_name = "FAULT", value_parser = FaultSpec::parse)]
    pub(super) fault: Vec<FaultSpec>,
    /// Commands that are disabled.
    #[arg(short, long, value_name = "COMMANDS", value_delimiter = ',')]
    pub(super) block_rpcs: Vec<String>,
    /// The only commands that are enabled.
    #[arg(short, long, value_name = "COMMANDS", value_delimiter = ',')]
    pub(super) allow_rpcs: Vec<String>,
    /// Start with frozen filesystems.
    #[arg(long)]
    pub(super) frozen: bool,
}

#[derive(Debug, Args)]
pub(super) struct Record {
    /// The real agent: unix:PATH or tcp:HOST:PORT.
    #[arg(long, value_name = "ADDRESS")]
    pub(super) upstream: String,
    /// Where to listen for clients.
    #[arg(long, value_name = "ADDRESS")]
    pub(super) listen: String,
    /// The file to write; one that exists is replaced.
    #[arg(long, value_name = "FILE")]
    pub(super) cassette: PathBuf,
    /// Also write down passwords, keys and what programs read. What programs are given as arguments
    /// and environment, what they print, and what is in files is written down in any case.
    #[arg(long)]
    pub(super) with_secrets: bool,
}

#[derive(Debug, Args)]
pub(super) struct Replay {
    /// The file that `record` has written.
    #[arg(long, value_name = "FILE")]
    pub(super) cassette: PathBuf,
    /// Where to listen for clients.
    #[arg(long, value_name = "ADDRESS")]
    pub(super) listen: String,
    /// Take requests in any order, by name and arguments.
    #[arg(long)]
    pub(super) matching: bool,
    #[command(flatten)]
    pub(super) agent: Agent,
}
