use std::fmt;

/// Whether a machine runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Power {
    /// Not known.
    #[default]
    Unknown,
    /// Its processors run.
    Running,
    /// The host has stopped its processors for a while.
    Paused,
    /// It stands still because of an I/O error of the host, such as a full disk, until somebody lets it go on.
    Stalled,
    /// The guest has suspended it to memory.
    Suspended,
    /// It is off.
    Off,
    /// The guest's kernel has panicked.
    Panicked,
}

impl Power {
    /// Whether it is known that nothing happens in the guest.
    #[must_use]
    pub const fn is_stopped(self) -> bool {
        !matches!(self, Self::Unknown | Self::Running)
    }
}

/// A phrase to stand after "the machine".
impl fmt::Display for Power {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unknown => "is in a state that is not known",
            Self::Running => "runs",
            Self::Paused => "is paused",
            Self::Stalled => {
                "stands still because of an I/O error of its host, such as a full disk"
            }
            Self::Suspended => "is suspended",
            Self::Off => "is off",
            Self::Panicked => "does not run any more, as its kernel has panicked",
        })
    }
}
