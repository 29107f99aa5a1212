//! What became of a guest.

use std::fmt;

/// What became of a guest that was told to go, as far as its channel shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[must_use = "the guest may still run"]
#[non_exhaustive]
pub enum Outcome {
    /// The machine is off: the channel closed and cannot be opened, or closes again each time, or somebody on the
    /// [host](qga_core::ClientBuilder::machine) tells.
    Off,
    /// An agent answers that was started since.
    Back,
    /// The agent does not answer, and it does not show that the machine is off. After a halt or a suspend that
    /// is the aim; after a shutdown or a reboot it means that the guest is still on its way, or stuck.
    Silent,
    /// The machine is suspended to memory, as somebody on the [host](qga_core::ClientBuilder::machine) tells.
    Suspended,
    /// The guest's kernel has panicked, as somebody on the [host](qga_core::ClientBuilder::machine) tells.
    Panicked,
    /// The same agent still answers: the guest has not gone, or, after a suspend, is awake already.
    StillRunning,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Off => "the machine is off",
            Self::Back => "an agent answers that was started since",
            Self::Silent => "the agent does not answer",
            Self::Suspended => "the machine is suspended",
            Self::Panicked => "the guest's kernel has panicked",
            Self::StillRunning => "the agent still answers",
        })
    }
}
