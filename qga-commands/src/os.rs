//! The guest's operating system.

use qga_core::QgaCommand;
use serde::{Deserialize, Serialize};

/// Asks for the guest's host name. Since QEMU 2.10.
#[derive(Clone, Copy, Debug, QgaCommand)]
#[qga(name = "guest-get-host-name", response = GuestHostName, retry = Safe)]
pub struct GetHostName;

/// The guest's host name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub struct GuestHostName {
    /// As the guest has it, with or without a domain.
    pub host_name: String,
}

/// Asks what the guest runs. Since QEMU 2.10.
#[derive(Clone, Copy, Debug, QgaCommand)]
#[qga(name = "guest-get-osinfo", response = GuestOsInfo, retry = Safe)]
pub struct GetOsInfo;

/// What the guest runs, as far as the agent could find out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
#[non_exhaustive]
pub struct GuestOsInfo {
    /// The kernel's release, such as `6.1.0-18-amd64`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kernel_release: Option<String>,
    /// The kernel's build, such as `#1 SMP PREEMPT_DYNAMIC`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kernel_version: Option<String>,
    /// The hardware's architecture, such as `x86_64`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub machine: Option<String>,
    /// A short identifier, such as `debian` or `mswindows`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The system's name, such as `Debian GNU/Linux`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Name and version for people to read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pretty_name: Option<String>,
    /// The version with its code name, such as `12 (bookworm)`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The version alone, such as `12`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version_id: Option<String>,
    /// Which edition, such as `server`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
    /// A short identifier of the edition.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub variant_id: Option<String>,
}
