use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use super::fault_spec::FaultSpec;
use crate::Profile;

/// A fake QEMU guest agent for tests.
///
/// The program prints its address on a line of its own as soon as clients can connect, and serves
/// until it gets SIGINT or SIGTERM.
#[derive(Debug, Parser)]
#[command(
    version,
    args_conflicts_with_subcommands = true,
    after_help = "PROGRAM.md describes faults, orders, the guest file and cassettes."
)]
pub(super) struct Arguments {
    #[command(subcommand)]
    pub(super) task: Option<Task>,
    #[command(flatten)]
    pub(super) serve: Serve,
}

#[derive(Debug, Subcommand)]
pub(super) enum Task {
    /// Stand between a client and a real agent, and write down what they send each other.
    Record(Record),
    /// Answer as a recorded agent did.
    Replay(Replay),
}

#[derive(Debug, Args)]
pub(super) struct Serve {
    /// The address to listen on: unix:PATH or tcp:HOST:PORT. Port 0 stands for any free port.
    #[arg(long, value_name = "ADDRESS", required_unless_present = "agents")]
    pub(super) listen: Option<String>,
    #[command(flatten)]
    pub(super) agent: Agent,
    /// The address on which to take orders from the test: unix:PATH or tcp:HOST:PORT.
    #[arg(long, value_name = "ADDRESS")]
    pub(super) control: Option<String>,
    /// The address of the monitor (QMP) of the agent's machine: unix:PATH or tcp:HOST:PORT.
    #[cfg(unix)]
    #[arg(long, value_name = "ADDRESS", conflicts_with = "agents")]
    pub(super) monitor: Option<String>,
    /// How many agents to serve, each on a socket of its own.
    #[arg(long, value_name = "NUMBER", requires = "dir", conflicts_with_all = ["listen", "control"])]
    pub(super) agents: Option<usize>,
    /// The folder for the sockets of --agents: agent-0.sock and so on.
    #[arg(long, value_name = "FOLDER")]
    pub(super) dir: Option<PathBuf>,
}

/// The options that describe an agent.
#[derive(Debug, Args)]
pub(super) struct Agent {
    /// Which agent to behave like: 3.1, 7.2, 10.0, 10.0.13, 11.1, rhel9, windows or freebsd.
    #[arg(long, default_value_t, value_name = "NAME")]
    pub(super) profile: Profile,
    /// A TOML file that describes the guest.
    #[arg(long, value_name = "FILE")]
    pub(super) guest: Option<PathBuf>,
    /// What goes wrong, and with which reply: FAULT[+FAULT...][@WHEN].
    ///
    /// WHEN is a number (only that reply), xNUMBER (that many replies), 10% or 10%/SEED (by chance), a
    /// command's name (each reply to it) or always. Without WHEN the fault is for the next reply.
    #[arg(long, value_name = "FAULT", value_parser = FaultSpec::parse)]
    pub(super) fault: Vec<FaultSpec>,
    /// Commands to disable.
    #[arg(short, long, value_name = "COMMANDS", value_delimiter = ',')]
    pub(super) block_rpcs: Vec<String>,
    /// The only commands to allow.
    #[arg(short, long, value_name = "COMMANDS", value_delimiter = ',')]
    pub(super) allow_rpcs: Vec<String>,
    /// Start with frozen filesystems.
    #[arg(long)]
    pub(super) frozen: bool,
}

#[derive(Debug, Args)]
pub(super) struct Record {
    /// The address of the real agent: unix:PATH or tcp:HOST:PORT.
    #[arg(long, value_name = "ADDRESS")]
    pub(super) upstream: String,
    /// The address to listen on for clients.
    #[arg(long, value_name = "ADDRESS")]
    pub(super) listen: String,
    /// The file to write. It replaces an existing file.
    #[arg(long, value_name = "FILE")]
    pub(super) cassette: PathBuf,
    /// Record passwords, keys and the input of programs too. The arguments, the environment and the output
    /// of programs, and the contents of files, are always recorded.
    #[arg(long)]
    pub(super) with_secrets: bool,
}

#[derive(Debug, Args)]
pub(super) struct Replay {
    /// The file that `record` has written.
    #[arg(long, value_name = "FILE")]
    pub(super) cassette: PathBuf,
    /// The address to listen on for clients.
    #[arg(long, value_name = "ADDRESS")]
    pub(super) listen: String,
    /// Accept requests in any order, and find their answers by command and arguments.
    #[arg(long)]
    pub(super) matching: bool,
    #[command(flatten)]
    pub(super) agent: Agent,
}
