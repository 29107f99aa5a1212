/// The QEMU version whose wording and commands an agent has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Profile {
    /// QEMU 7.2, as in Debian 12.
    Qemu7_2,
    /// QEMU 10.0, as in Debian 13; the default.
    #[default]
    Qemu10_0,
}

impl Profile {
    /// The version that `guest-info` names.
    pub(crate) fn version(self) -> &'static str {
        match self {
            Profile::Qemu7_2 => "7.2.22",
            Profile::Qemu10_0 => "10.0.2",
        }
    }

    /// What follows `Command NAME has been disabled`.
    pub(crate) fn disabled_because(self) -> &'static str {
        match self {
            Profile::Qemu7_2 => "",
            Profile::Qemu10_0 => ": the command is not allowed",
        }
    }
}

/// What an agent does with a request's `id`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RequestIds {
    /// It comes back in the reply, as since QEMU 4.0; the default.
    #[default]
    Echoed,
    /// It is taken and does not come back, as in QEMU before 4.0.
    Ignored,
    /// The request is refused: `QMP input member 'id' is unexpected`.
    Refused,
}
