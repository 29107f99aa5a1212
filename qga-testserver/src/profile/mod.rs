mod settings;

use std::fmt;
use std::str::FromStr;

pub(crate) use settings::Settings;

use crate::wire::json::Dialect;

/// The agent that a test agent behaves like: its wording, its commands and its policy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Profile {
    /// QEMU 3.1, which takes a request's `id` and does not give it back.
    Qemu3_1,
    /// QEMU 7.2, as in Debian 12.
    Qemu7_2,
    /// QEMU 10.0.2, whose `out-truncated` is wrong; the default.
    #[default]
    Qemu10_0,
    /// QEMU 10.0.13, as in Debian 13.
    Qemu10_0_13,
    /// QEMU 11.1.
    Qemu11_1,
    /// QEMU 9.1 as RHEL 9 starts it: files and programs are not allowed.
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
    /// It comes back in the reply, as since QEMU 4.0; the default.
    #[default]
    Echoed,
    /// It is taken and does not come back, as in QEMU before 4.0.
    Ignored,
    /// The request is refused: `QMP input member 'id' is unexpected`.
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
    /// All profiles by the names that [`Profile::from_str`] takes.
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

    /// The version that `guest-info` names.
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

    /// What becomes of a request's `id` unless the test says otherwise.
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

    /// Whether the truncated-flags come only with cut output, and then say no.
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

/// Why a text is no profile's name: the message says what it could be.
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
