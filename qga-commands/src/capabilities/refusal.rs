//! Why an agent refuses a command.

use std::fmt;

use qga_core::{Client, Error, Excerpt};

use super::Capabilities;
use crate::optional;
use crate::schema::{self, Platform};

/// Why an agent refuses a command.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// It does not know the command.
    Unknown {
        /// The command.
        command: String,
        /// The agent's version.
        version: String,
    },
    /// It knows the command and has it disabled: its configuration in the guest forbids it, or,
    /// with an agent before 9.1, the guest's system cannot do it.
    Disabled {
        /// The command.
        command: String,
        /// The agent's version.
        version: String,
    },
    /// The command has to wait until the guest's filesystems are thawed.
    Frozen {
        /// The command.
        command: String,
    },
}

impl Refusal {
    /// Asks an agent why it has refused a command, for some seconds at most.
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
        let client = optional::in_short(client);
        let capabilities = Capabilities::ask(&client).await.ok()?;
        capabilities.refusal(error.command()?)
    }

    /// Whether it is no use to wait: the agent or its configuration has to change.
    pub(crate) fn is_for_good(&self) -> bool {
        matches!(self, Self::Unknown { .. } | Self::Disabled { .. })
    }

    /// The command that is refused.
    #[must_use]
    pub fn command(&self) -> &str {
        match self {
            Self::Unknown { command, .. }
            | Self::Disabled { command, .. }
            | Self::Frozen { command } => command,
        }
    }

    /// What can be done about it, in words.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::Unknown { command, .. } => unknown_hint(command),
            Self::Disabled { command, version } => disabled_hint(command, version),
            Self::Frozen { .. } => {
                "who has frozen them thaws them, unless that program has ended: \
                then waiting does not help, and `Guest::thaw` (guest-fsfreeze-thaw) thaws them"
                    .to_owned()
            }
        }
    }
}

fn disabled_hint(command: &str, version: &str) -> String {
    let configured = format!(
        "in the guest, take {command} out of `--block-rpcs=`, or add it to `--allow-rpcs=` if that \
         is there: in FILTER_RPC_ARGS of /etc/sysconfig/qemu-ga (BLOCK_RPCS or BLACKLIST_RPC in \
         older releases), or in `block-rpcs` and `allow-rpcs` of /etc/qemu/qemu-ga.conf; then \
         restart qemu-guest-agent"
    );
    match schema::find(command) {
        Some(known) if known.platforms.len() < 3 && is_before_9_1(version) => {
            let on = platforms(known);
            format!("{command} works in guests with {on} only; if this is one, {configured}")
        }
        _ => configured,
    }
}

/// Until then, agents listed what their system cannot do as disabled.
fn is_before_9_1(version: &str) -> bool {
    let mut numbers = version
        .split('.')
        .map_while(|part| part.parse::<u32>().ok());
    match (numbers.next(), numbers.next()) {
        (Some(major), Some(minor)) => (major, minor) < (9, 1),
        _ => false,
    }
}

fn platforms(command: &schema::Command) -> String {
    let names: Vec<_> = command.platforms.iter().map(Platform::to_string).collect();
    names.join(", ")
}

fn unknown_hint(command: &str) -> String {
    match schema::find(command) {
        None => format!("{command} is in no agent of QEMU; is it spelled right?"),
        Some(known) => {
            let (since, on) = (known.since, platforms(known));
            format!("agents have it since QEMU {since}, in guests with {on}")
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { command, version } => {
                let (command, version) = (Excerpt(command), Excerpt(version));
                write!(f, "the agent, version {version}, does not know {command}")
            }
            Self::Disabled { command, .. } => {
                write!(f, "the agent has {} disabled", Excerpt(command))
            }
            Self::Frozen { command } => {
                let command = Excerpt(command);
                write!(
                    f,
                    "{command} has to wait: the guest's filesystems are frozen"
                )
            }
        }
    }
}

/// A version of a guest's making may be of any length.
impl fmt::Debug for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, version) = match self {
            Self::Unknown { version, .. } => ("Unknown", Some(version)),
            Self::Disabled { version, .. } => ("Disabled", Some(version)),
            Self::Frozen { .. } => ("Frozen", None),
        };
        let mut refusal = f.debug_struct(name);
        refusal.field("command", &Excerpt(self.command()));
        if let Some(version) = version {
            refusal.field("version", &Excerpt(version));
        }
        refusal.finish()
    }
}

impl std::error::Error for Refusal {}
