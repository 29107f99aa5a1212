//! Addresses that a guest tells as text.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use qga_core::Excerpt;

use crate::commands::net::{GuestIpAddress, GuestNetworkInterface};

/// An IP address of the guest, with the zone that a Windows guest adds to a link-local one.
///
/// ```
/// use qga_commands::GuestIp;
///
/// let address: GuestIp = "fe80::1%14".parse()?;
/// assert_eq!(address.zone(), Some("14"));
/// assert!(address.is_link_local());
/// assert_eq!(address.to_string(), "fe80::1%14");
/// # Ok::<_, qga_commands::ParseAddressError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GuestIp {
    ip: IpAddr,
    zone: Option<String>,
}

/// A MAC address.
///
/// ```
/// use qga_commands::MacAddress;
///
/// let mac: MacAddress = "52:54:00:12:34:56".parse()?;
/// assert_eq!(mac, "52-54-00-12-34-56".parse()?);
/// assert_eq!(mac.to_string(), "52:54:00:12:34:56");
/// # Ok::<_, qga_commands::ParseAddressError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MacAddress(pub [u8; 6]);

/// A text cannot be parsed as an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseAddressError {
    what: &'static str,
    text: String,
}

impl GuestIp {
    /// The address without the zone.
    #[must_use]
    pub fn ip(&self) -> IpAddr {
        self.ip
    }

    /// The zone: the interface's number in a Windows guest, its name elsewhere.
    #[must_use]
    pub fn zone(&self) -> Option<&str> {
        self.zone.as_deref()
    }

    /// Whether it is a loopback address, such as `127.0.0.1` and `::1`.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.ip.to_canonical().is_loopback()
    }

    /// Whether it is valid on one link only, such as `169.254.1.1` and `fe80::1`.
    #[must_use]
    pub fn is_link_local(&self) -> bool {
        match self.ip.to_canonical() {
            IpAddr::V4(ip) => ip.is_link_local(),
            IpAddr::V6(ip) => ip.is_unicast_link_local(),
        }
    }
}

impl FromStr for GuestIp {
    type Err = ParseAddressError;

    fn from_str(text: &str) -> Result<Self, ParseAddressError> {
        let error = || ParseAddressError::new("an IP address", text);
        let (ip, zone) = match text.split_once('%') {
            Some((_, zone)) if !is_zone(zone) => return Err(error()),
            Some((ip, zone)) => (
                ip.parse::<Ipv6Addr>().map(IpAddr::V6),
                Some(zone.to_owned()),
            ),
            None => (text.parse(), None),
        };
        let ip = ip.map_err(|_| error())?;
        Ok(Self { ip, zone })
    }
}

impl fmt::Display for GuestIp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.zone {
            Some(zone) => f.pad(&format!("{}%{zone}", self.ip)),
            None => self.ip.fmt(f),
        }
    }
}

impl FromStr for MacAddress {
    type Err = ParseAddressError;

    fn from_str(text: &str) -> Result<Self, ParseAddressError> {
        let error = || ParseAddressError::new("a MAC address", text);
        let mut parts = text.split([':', '-']);
        let mut bytes = [0; 6];
        for byte in &mut bytes {
            let part = parts.next().filter(|part| is_hex_byte(part));
            *byte = part
                .and_then(|part| u8::from_str_radix(part, 16).ok())
                .ok_or_else(error)?;
        }
        match parts.next() {
            None => Ok(Self(bytes)),
            Some(_) => Err(error()),
        }
    }
}

/// A guest's text that may end up in a shell or on a terminal.
fn is_zone(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._:@-".contains(&byte);
    (1..=64).contains(&text.len()) && text.bytes().all(plain)
}

/// Two digits: `from_str_radix` alone would take `+1`.
fn is_hex_byte(part: &str) -> bool {
    part.len() == 2 && part.bytes().all(|digit| digit.is_ascii_hexdigit())
}

impl fmt::Display for MacAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.0.map(|byte| format!("{byte:02x}"));
        f.pad(&bytes.join(":"))
    }
}

impl ParseAddressError {
    fn new(what: &'static str, text: &str) -> Self {
        let text = text.to_owned();
        Self { what, text }
    }
}

impl fmt::Display for ParseAddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is not {}", Excerpt(&self.text), self.what)
    }
}

impl std::error::Error for ParseAddressError {}

impl GuestIpAddress {
    /// The address, parsed.
    ///
    /// # Errors
    ///
    /// When the guest's text is no address.
    pub fn ip(&self) -> Result<GuestIp, ParseAddressError> {
        self.ip_address.parse()
    }
}

impl GuestNetworkInterface {
    /// The MAC address, parsed; `None` if the interface has none or one of another length.
    #[must_use]
    pub fn mac(&self) -> Option<MacAddress> {
        self.hardware_address.as_deref()?.parse().ok()
    }
}
