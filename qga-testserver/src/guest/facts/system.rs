use serde::{Deserialize, Serialize};

/// A time zone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct Timezone {
    /// The short name of the time zone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// The offset from UTC, in seconds; it is positive in the east.
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

/// How busy the guest has been: how many processes were running or waiting, on average.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct LoadAverage {
    /// The average over the last minute.
    pub load1m: f64,
    /// The average over the last five minutes.
    pub load5m: f64,
    /// The average over the last 15 minutes.
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

/// The guest's operating system. The reply leaves out what is `None`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct OsInfo {
    /// The release of the kernel.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kernel_release: Option<String>,
    /// The version of the kernel.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kernel_version: Option<String>,
    /// The architecture of the processor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub machine: Option<String>,
    /// The short name of the system, such as `debian`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The name of the system.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The name and version of the system, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pretty_name: Option<String>,
    /// The version of the system, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The version of the system, for programs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version_id: Option<String>,
    /// The edition of the system, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
    /// The edition of the system, for programs.
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
