//! The types of the table of commands.

use std::fmt;

use qga_core::{Reply, RetryClass};

/// A command of the agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Command {
    /// The name on the wire.
    pub name: &'static str,
    /// The module of [`commands`](crate::commands) where its type is.
    pub module: &'static str,
    /// The name of its type.
    pub type_name: &'static str,
    /// What the command does, as a sentence without a full stop.
    pub summary: &'static str,
    /// The version of QEMU that introduced it.
    pub since: &'static str,
    /// The platforms on which the newest agent has it.
    pub platforms: &'static [Platform],
    /// Its arguments, in the order of the schema.
    pub arguments: &'static [Argument],
    /// The type of its reply in the schema's words, a list in brackets; `None` is the empty
    /// object.
    pub returns: Option<&'static str>,
    /// When the agent answers it.
    pub reply: Reply,
    /// Whether it may be sent again after its reply was lost.
    pub retry: RetryClass,
    /// What to look at to find out whether the command has run, if its reply was lost. The text completes a sentence that
    /// begins with "check".
    pub check: Option<&'static str>,
    /// Whether the agent runs it while filesystems are frozen.
    pub while_frozen: bool,
}

/// An argument of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Argument {
    /// The name on the wire.
    pub name: &'static str,
    /// The type in the schema's words, a list in brackets.
    pub ty: &'static str,
    /// Whether it may be left out.
    pub optional: bool,
}

impl Argument {
    pub(crate) const fn required(name: &'static str, ty: &'static str) -> Self {
        Self {
            name,
            ty,
            optional: false,
        }
    }

    pub(crate) const fn optional(name: &'static str, ty: &'static str) -> Self {
        Self {
            name,
            ty,
            optional: true,
        }
    }
}

/// An operating system of guests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Platform {
    /// Linux.
    Linux,
    /// FreeBSD.
    FreeBsd,
    /// Windows.
    Windows,
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Linux => "Linux",
            Self::FreeBsd => "FreeBSD",
            Self::Windows => "Windows",
        })
    }
}
