//! The guest's network.

use qga_core::QgaCommand;
use serde::{Deserialize, Serialize};

/// Asks for the guest's network interfaces. Since QEMU 1.1.
#[derive(Clone, Copy, Debug, QgaCommand)]
#[qga(
    name = "guest-network-get-interfaces",
    response = Vec<GuestNetworkInterface>,
    retry = Safe
)]
pub struct NetworkGetInterfaces;

/// A network interface.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub struct GuestNetworkInterface {
    /// Its name, such as `eth0`.
    pub name: String,
    /// Its MAC address, six bytes in hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hardware_address: Option<String>,
    /// Its addresses; none if it has no address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip_addresses: Option<Vec<GuestIpAddress>>,
    /// What it has sent and received.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statistics: Option<GuestNetworkInterfaceStat>,
}

/// An IP address of an interface.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub struct GuestIpAddress {
    /// The address; a Windows guest may add a zone, as in `fe80::1%14`.
    pub ip_address: String,
    /// `ipv4` or `ipv6`.
    pub ip_address_type: String,
    /// How many bits are the network's.
    pub prefix: i64,
}

/// What an interface has sent and received since the guest started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub struct GuestNetworkInterfaceStat {
    /// Bytes received.
    pub rx_bytes: u64,
    /// Packets received.
    pub rx_packets: u64,
    /// Packets received with an error.
    pub rx_errs: u64,
    /// Packets dropped when received.
    pub rx_dropped: u64,
    /// Bytes sent.
    pub tx_bytes: u64,
    /// Packets sent.
    pub tx_packets: u64,
    /// Packets that could not be sent for an error.
    pub tx_errs: u64,
    /// Packets dropped when sent.
    pub tx_dropped: u64,
}
