//! The versions and platforms that an agent can behave like, and the settings of one agent.

mod settings;

use std::fmt;
use std::str::FromStr;

pub(crate) use settings::Settings;

use crate::wire::json::Dialect;

/// Which agent a test agent behaves like. This decides its commands, its messages and what it allows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Profile {
    /// QEMU 3.1, which accepts a request's `id` and does not return it.
    Qemu3_1,
    /// QEMU 7.2, as in Debian 12.
    Qemu7_2,
    /// QEMU 10.0.2, which says `out-truncated: false` when output was cut. This is the default.
    #[default]
    Qemu10_0,
    /// QEMU 10.0.13, as in Debian 13.
    Qemu10_0_13,
    /// QEMU 11.1.
    Qemu11_1,
    /// QEMU 9.1 as RHEL 9 starts it: commands for files and programs are disabled.
    Rhel9,
    /// QEMU 11.1 in a Windows guest.
    Windows,
    /// QEMU 11.1 in a `FreeBSD` guest.
    FreeBsd,
}

/// What an agent does with a request's `id`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum RequestIds {
    /// The agent returns it in the reply, as QEMU 4.0 and later do. This is the default.
    #[default]
    Echoed,
    /// The agent accepts it and does not return it, as QEMU before 4.0 does.
    Ignored,
    /// The agent refuses the request: `QMP input member 'id' is unexpected`.
    Refused,
}

/// The operating system that an agent was built for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Platform {
    Linux,
    FreeBsd,
    Windows,
}

/// Major, minor and patch number.
pub(crate) type Version = (u32, u32, u32);

const NAMES: [(&str, Profile); 8] = [
    ("3.1", Profile::Qemu3_1),
    ("7.2", Profile::Qemu7_2),
    ("10.0", Profile::Qemu10_0),
    ("10.0.13", Profile::Qemu10_0_13),
    ("11.1", Profile::Qemu11_1),
    ("rhel9", Profile::Rhel9),
    ("windows", Profile::Windows),
    ("freebsd", Profile::FreeBsd),
];

impl Profile {
    /// Returns the names of all profiles, which [`Profile::from_str`] accepts.
    #[must_use]
    pub fn names() -> [&'static str; 8] {
        NAMES.map(|(name, _)| name)
    }

    pub(crate) fn version(self) -> Version {
        match self {
            Profile::Qemu3_1 => (3, 1, 0),
            Profile::Qemu7_2 => (7, 2, 22),
            Profile::Rhel9 => (9, 1, 0),
            Profile::Qemu10_0 => (10, 0, 2),
            Profile::Qemu10_0_13 => (10, 0, 13),
            Profile::Qemu11_1 | Profile::Windows | Profile::FreeBsd => (11, 1, 3),
        }
    }

    /// The version as `guest-info` tells it.
    pub(crate) fn version_text(self) -> String {
        let (major, minor, patch) = self.version();
        format!("{major}.{minor}.{patch}")
    }

    pub(crate) fn platform(self) -> Platform {
        match self {
            Profile::Windows => Platform::Windows,
            Profile::FreeBsd => Platform::FreeBsd,
            _ => Platform::Linux,
        }
    }

    /// Whether the version is this one or a later one.
    pub(crate) fn since(self, major: u32, minor: u32) -> bool {
        self.version() >= (major, minor, 0)
    }

    pub(crate) fn dialect(self) -> Dialect {
        if self.since(11, 0) {
            Dialect::Early
        } else {
            Dialect::Late
        }
    }

    /// What the agent does with a request's `id` unless the test says otherwise.
    pub(crate) fn request_ids(self) -> RequestIds {
        if self.since(4, 0) {
            RequestIds::Echoed
        } else {
            RequestIds::Ignored
        }
    }

    /// Whether the distribution's policy lets a command be used.
    pub(crate) fn allows(self, command: &str) -> bool {
        self != Profile::Rhel9
            || !(command.starts_with("guest-exec") || command.starts_with("guest-file-"))
    }

    /// Whether the flags for truncated output come only with output that was cut, and then say false.
    pub(crate) fn hides_truncation(self) -> bool {
        self.since(8, 0) && self.version() <= (10, 0, 2)
    }
}

impl FromStr for Profile {
    type Err = ParseProfileError;

    fn from_str(text: &str) -> Result<Self, ParseProfileError> {
        let found = NAMES.iter().find(|(name, _)| *name == text);
        found.map(|(_, profile)| *profile).ok_or_else(|| {
            let names = Profile::names().join(", ");
            ParseProfileError(format!(
                "there is no profile `{text}`; the profiles are {names}"
            ))
        })
    }
}

/// The error for a text that is not the name of a profile. Its message lists the names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseProfileError(String);

impl fmt::Display for ParseProfileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ParseProfileError {}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = NAMES.iter().find(|(_, profile)| profile == self);
        f.write_str(name.map_or("", |(name, _)| name))
    }
}
