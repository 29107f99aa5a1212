use serde::{Deserialize, Serialize};

/// A network interface.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct Interface {
    /// The name of the interface.
    pub name: String,
    /// The hardware address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hardware_address: Option<String>,
    /// The IP addresses. A real agent tells neither addresses nor statistics of an interface without
    /// addresses.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ip_addresses: Option<Vec<IpAddress>>,
    /// How much the interface has sent and received.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub statistics: Option<InterfaceStatistics>,
}

/// An IP address of an interface.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct IpAddress {
    /// The address as text.
    pub ip_address: String,
    /// The kind of address: `ipv4` or `ipv6`.
    pub ip_address_type: String,
    /// The length of the network part, in bits.
    pub prefix: i64,
}

/// How much an interface has sent and received.
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
    /// Makes an interface with IP addresses such as `192.0.2.10/24`.
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
    /// Makes an IP address from a text such as `192.0.2.10/24`.
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

/// A route. Routes for IPv4 and for IPv6 have different members.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Route {
    /// The interface that packets leave through.
    pub iface: String,
    /// The network that the route leads to.
    pub destination: String,
    /// The cost of the route, or -1 when the kernel does not tell it.
    pub metric: i64,
    /// The IP version, 4 or 6.
    pub version: i64,
    /// The IPv4 gateway.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gateway: Option<String>,
    /// The mask of the IPv4 network.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mask: Option<String>,
    /// The initial round-trip time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub irtt: Option<i64>,
    /// The kernel's flags. For IPv6 they may be above 2^63.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flags: Option<u64>,
    /// The number of references to the route.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refcnt: Option<i64>,
    /// How often the route was looked up.
    #[serde(rename = "use", skip_serializing_if = "Option::is_none")]
    pub uses: Option<i64>,
    /// The TCP window.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window: Option<i64>,
    /// The size of the largest packet, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mtu: Option<i64>,
    /// The prefix length of the IPv6 destination, as a decimal number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub desprefixlen: Option<String>,
    /// The IPv6 source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The prefix length of the IPv6 source, as a decimal number.
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
