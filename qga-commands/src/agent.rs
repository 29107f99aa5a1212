//! The agent itself: whether it is there and what it can do.

use qga_core::QgaCommand;
use serde::{Deserialize, Serialize};

/// Asks whether the agent is there.
#[derive(Clone, Copy, Debug, QgaCommand)]
#[qga(name = "guest-ping", retry = Safe)]
pub struct Ping;

/// Asks for the agent's version and the commands it knows.
#[derive(Clone, Copy, Debug, QgaCommand)]
#[qga(name = "guest-info", response = GuestAgentInfo, retry = Safe)]
pub struct Info;

/// The agent's version and the commands it knows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct GuestAgentInfo {
    /// The version of QEMU that the agent was built from, such as `10.0.2`.
    pub version: String,
    /// Every command the agent knows, disabled ones too, in no useful order.
    pub supported_commands: Vec<GuestAgentCommandInfo>,
}

/// A command that the agent knows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub struct GuestAgentCommandInfo {
    /// The name on the wire.
    pub name: String,
    /// Whether the agent carries it out, or refuses because of its configuration or because the
    /// guest is frozen.
    pub enabled: bool,
    /// Whether success is answered; false for shutdown and suspend.
    pub success_response: bool,
}
