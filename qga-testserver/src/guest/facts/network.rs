use serde::{Deserialize, Serialize};

/// A network interface.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct Interface {
    /// Its name.
    pub name: String,
    /// Its hardware address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hardware_address: Option<String>,
    /// Its addresses; an interface without any has neither these nor statistics.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ip_addresses: Option<Vec<IpAddress>>,
    /// What it has carried.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub statistics: Option<InterfaceStatistics>,
}

/// An address of an interface.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct IpAddress {
    /// The address.
    pub ip_address: String,
    /// `ipv4` or `ipv6`.
    pub ip_address_type: String,
    /// Bits of the network's part.
    pub prefix: i64,
}

/// What an interface has carried.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct InterfaceStatistics {
    /// Bytes received.
    pub rx_bytes: u64,
    /// Packets received.
    pub rx_packets: u64,
    /// Packets received with errors.
    pub rx_errs: u64,
    /// Packets dropped on arrival.
    pub rx_dropped: u64,
    /// Bytes sent.
    pub tx_bytes: u64,
    /// Packets sent.
    pub tx_packets: u64,
    /// Packets sent with errors.
    pub tx_errs: u64,
    /// Packets dropped on the way out.
    pub tx_dropped: u64,
}

impl Interface {
    /// An interface with addresses such as `192.0.2.10/24`.
    #[must_use]
    pub fn new(name: &str, hardware_address: &str, addresses: &[&str]) -> Self {
        Self {
            name: name.into(),
            hardware_address: Some(hardware_address.into()),
            ip_addresses: Some(addresses.iter().map(|text| IpAddress::new(text)).collect()),
            statistics: Some(InterfaceStatistics {
                rx_bytes: 1_048_576,
                rx_packets: 2_048,
                tx_bytes: 1_048_576,
                tx_packets: 2_048,
                ..InterfaceStatistics::default()
            }),
        }
    }

    pub(super) fn usual() -> Vec<Self> {
        let addresses = ["192.0.2.10/24", "fe80::5054:ff:fe12:3456/64"];
        vec![
            Self::new("lo", "00:00:00:00:00:00", &["127.0.0.1/8", "::1/128"]),
            Self::new("eth0", "52:54:00:12:34:56", &addresses),
        ]
    }
}

impl IpAddress {
    /// An address such as `192.0.2.10/24`.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let (address, prefix) = text.split_once('/').unwrap_or((text, ""));
        let (kind, whole) = if address.contains(':') {
            ("ipv6", 128)
        } else {
            ("ipv4", 32)
        };
        Self {
            ip_address: address.into(),
            ip_address_type: kind.into(),
            prefix: prefix.parse().unwrap_or(whole),
        }
    }
}

/// A route. Routes of the two IP versions have different members.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Route {
    /// The interface it goes through.
    pub iface: String,
    /// The network it leads to.
    pub destination: String,
    /// Its cost; -1 when the kernel does not tell.
    pub metric: i64,
    /// 4 or 6.
    pub version: i64,
    /// The IPv4 gateway.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gateway: Option<String>,
    /// The IPv4 network's mask.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mask: Option<String>,
    /// The initial round-trip time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub irtt: Option<i64>,
    /// The kernel's flags; above 2^63 for IPv6.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flags: Option<u64>,
    /// References to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refcnt: Option<i64>,
    /// How often it was looked up.
    #[serde(rename = "use", skip_serializing_if = "Option::is_none")]
    pub uses: Option<i64>,
    /// The TCP window.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window: Option<i64>,
    /// The largest packet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mtu: Option<i64>,
    /// Bits of the IPv6 destination, in decimal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub desprefixlen: Option<String>,
    /// The IPv6 source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Bits of the IPv6 source, in decimal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub srcprefixlen: Option<String>,
    /// The IPv6 gateway.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nexthop: Option<String>,
}

impl Route {
    pub(super) fn usual() -> Vec<Self> {
        vec![
            Self::v4("0.0.0.0", "192.0.2.1", "0.0.0.0", 3),
            Self::v4("192.0.2.0", "0.0.0.0", "255.255.255.0", 1),
            Self::v6("eth0", "fe80::/64", 256, 1),
            // As a real agent tells a route to the guest itself: 32 bits, sign-extended.
            Self::v6("lo", "::1/128", 0, 18_446_744_071_564_165_121),
            // The kernel's last route, which refuses.
            Self::v6("lo", "::/0", -1, 0x20_0200),
        ]
    }

    fn v4(destination: &str, gateway: &str, mask: &str, flags: u64) -> Self {
        Self {
            iface: "eth0".into(),
            destination: destination.into(),
            version: 4,
            gateway: Some(gateway.into()),
            mask: Some(mask.into()),
            irtt: Some(0),
            flags: Some(flags),
            refcnt: Some(0),
            uses: Some(0),
            window: Some(0),
            mtu: Some(0),
            ..Self::default()
        }
    }

    fn v6(iface: &str, network: &str, metric: i64, flags: u64) -> Self {
        let (destination, bits) = network.split_once('/').unwrap_or((network, "128"));
        Self {
            iface: iface.into(),
            destination: destination.into(),
            metric,
            version: 6,
            flags: Some(flags),
            refcnt: Some(1),
            uses: Some(0),
            desprefixlen: Some(bits.into()),
            source: Some("::".into()),
            srcprefixlen: Some("0".into()),
            nexthop: Some("::".into()),
            ..Self::default()
        }
    }
}
