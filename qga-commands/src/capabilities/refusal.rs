//! Why an agent refuses a command.

use std::fmt;

use qga_core::{Client, Error};

use super::Capabilities;
use crate::schema::{self, Platform};

/// Why an agent refuses a command.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// It does not know the command.
    Unknown {
        /// The command.
        command: String,
        /// The agent's version.
        version: String,
    },
    /// It knows the command, and its configuration in the guest forbids it.
    Disabled {
        /// The command.
        command: String,
    },
    /// The command has to wait until the guest's filesystems are thawed.
    Frozen {
        /// The command.
        command: String,
    },
}

impl Refusal {
    /// Asks an agent why it has refused a command.
    ///
    /// `None` if the error is no refusal, and if the agent cannot be asked or does not refuse any
    /// more.
    ///
    /// # Cancel safety
    ///
    /// As [`Capabilities::ask`].
    pub async fn explain(client: &Client, error: &Error) -> Option<Self> {
        if !error.is_command_not_found() {
            return None;
        }
        let capabilities = Capabilities::ask(client).await.ok()?;
        capabilities.refusal(error.command()?)
    }

    /// The command that is refused.
    #[must_use]
    pub fn command(&self) -> &str {
        match self {
            Self::Unknown { command, .. }
            | Self::Disabled { command }
            | Self::Frozen { command } => command,
        }
    }

    /// What can be done about it, in words.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::Unknown { command, .. } => unknown_hint(command),
            Self::Disabled { command } => format!(
                "in the guest, take {command} out of `--block-rpcs=`, or add it to \
                 `--allow-rpcs=` if that is there: in FILTER_RPC_ARGS of \
                 /etc/sysconfig/qemu-ga (BLOCK_RPCS or BLACKLIST_RPC in older releases), or in \
                 `block-rpcs` and `allow-rpcs` of /etc/qemu/qemu-ga.conf; then restart \
                 qemu-guest-agent"
            ),
            Self::Frozen { .. } => "thaw them first: guest-fsfreeze-thaw".to_owned(),
        }
    }
}

fn unknown_hint(command: &str) -> String {
    match schema::find(command) {
        None => format!("{command} is in no agent of QEMU; is it spelled right?"),
        Some(known) => {
            let on: Vec<_> = known.platforms.iter().map(Platform::to_string).collect();
            let (since, on) = (known.since, on.join(", "));
            format!("agents have it since QEMU {since}, in guests with {on}")
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { command, version } => {
                let version = version.escape_debug();
                write!(f, "the agent, version {version}, does not know {command}")
            }
            Self::Disabled { command } => {
                write!(
                    f,
                    "the agent's configuration in the guest forbids {command}"
                )
            }
            Self::Frozen { command } => {
                write!(
                    f,
                    "{command} has to wait: the guest's filesystems are frozen"
                )
            }
        }
    }
}

impl std::error::Error for Refusal {}
