use serde::{Deserialize, Serialize};

/// A time zone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct Timezone {
    /// Its short name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// Seconds east of UTC.
    pub offset: i64,
}

impl Default for Timezone {
    fn default() -> Self {
        Self {
            zone: Some("UTC".into()),
            offset: 0,
        }
    }
}

/// How busy the guest has been.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct LoadAverage {
    /// Over the last minute.
    pub load1m: f64,
    /// Over five minutes.
    pub load5m: f64,
    /// Over a quarter of an hour.
    pub load15m: f64,
}

impl Default for LoadAverage {
    fn default() -> Self {
        Self {
            load1m: 0.5,
            load5m: 0.25,
            load15m: 0.125,
        }
    }
}

/// The guest's operating system; what is `None` is left out of the reply.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct OsInfo {
    /// The kernel's release.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kernel_release: Option<String>,
    /// The kernel's version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kernel_version: Option<String>,
    /// The processor's architecture.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub machine: Option<String>,
    /// The system's short name, such as `debian`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The system's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The system's name and version for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pretty_name: Option<String>,
    /// The system's version for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The system's version for programs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version_id: Option<String>,
    /// The edition for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
    /// The edition for programs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub variant_id: Option<String>,
}

impl Default for OsInfo {
    fn default() -> Self {
        Self {
            kernel_release: Some("6.12.43+deb13-amd64".into()),
            kernel_version: Some("#1 SMP PREEMPT_DYNAMIC Debian 6.12.43-1 (2025-08-27)".into()),
            machine: Some("x86_64".into()),
            id: Some("debian".into()),
            name: Some("Debian GNU/Linux".into()),
            pretty_name: Some("Debian GNU/Linux 13 (trixie)".into()),
            version: Some("13 (trixie)".into()),
            version_id: Some("13".into()),
            variant: None,
            variant_id: None,
        }
    }
}

impl OsInfo {
    pub(super) fn freebsd() -> Self {
        Self {
            kernel_release: Some("14.3-RELEASE".into()),
            kernel_version: Some("FreeBSD 14.3-RELEASE GENERIC".into()),
            machine: Some("amd64".into()),
            id: Some("freebsd".into()),
            name: Some("FreeBSD".into()),
            pretty_name: Some("FreeBSD 14.3-RELEASE".into()),
            version: Some("14.3-RELEASE".into()),
            version_id: Some("14.3".into()),
            ..Self::default()
        }
    }

    pub(super) fn windows() -> Self {
        Self {
            kernel_release: Some("20348".into()),
            kernel_version: Some("10.0".into()),
            id: Some("mswindows".into()),
            name: Some("Microsoft Windows".into()),
            pretty_name: Some("Windows Server 2022 Standard".into()),
            version: Some("Microsoft Windows Server 2022".into()),
            version_id: Some("2022".into()),
            variant: Some("server".into()),
            variant_id: Some("server".into()),
            ..Self::default()
        }
    }
}
