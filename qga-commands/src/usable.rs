//! Picks the addresses under which a guest can be reached.

use crate::commands::net::GuestNetworkInterface;
use crate::{GuestIp, MacAddress};

/// Selects addresses under which a guest can be reached.
///
/// By default these are the addresses that are neither loopback nor link-local. IPv4 comes first; otherwise they are in
/// the guest's order.
///
/// ```no_run
/// use qga_commands::Usable;
/// use qga_commands::commands::net::NetworkGetInterfaces;
///
/// # async fn example(client: qga_core::Client) -> Result<(), qga_core::Error> {
/// let interfaces = client.execute(NetworkGetInterfaces).await?;
/// if let Some(first) = Usable::new().pick(&interfaces).first() {
///     println!("ssh root@{}", first.ip);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct Usable {
    loopback: bool,
    link_local: bool,
    v6_first: bool,
    only: Option<Family>,
    mac: Option<MacAddress>,
}

/// A version of IP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    V4,
    V6,
}

/// An address under which a guest can be reached.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UsableAddress {
    /// The interface that has it.
    pub interface: String,
    /// The MAC address of that interface.
    pub mac: Option<MacAddress>,
    /// The address.
    pub ip: GuestIp,
    /// How many leading bits belong to the network. `None` if the guest tells no valid number.
    pub prefix: Option<u8>,
}

impl Usable {
    /// Selects the addresses that are neither loopback nor link-local, IPv4 first.
    pub fn new() -> Self {
        Self::default()
    }

    /// Also selects loopback addresses.
    pub fn with_loopback(mut self) -> Self {
        self.loopback = true;
        self
    }

    /// Also selects link-local addresses. To connect to one of these, the zone of the host's own interface is needed.
    pub fn with_link_local(mut self) -> Self {
        self.link_local = true;
        self
    }

    /// Puts IPv6 before IPv4.
    pub fn v6_first(mut self) -> Self {
        self.v6_first = true;
        self
    }

    /// Selects only IPv4 addresses.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), qga_commands::GuestError> {
    /// # let agent = qga_testserver::TestAgent::start().await;
    /// # let guest = qga_commands::Guest::connect(agent.address()).await?;
    /// use qga_commands::Usable;
    ///
    /// let addresses = guest.addresses(&Usable::new().v4_only()).await?;
    /// assert!(addresses.iter().all(|address| address.ip.ip().is_ipv4()));
    /// # Ok(())
    /// # }
    /// ```
    pub fn v4_only(mut self) -> Self {
        self.only = Some(Family::V4);
        self
    }

    /// Selects only IPv6 addresses. If [`v4_only`](Self::v4_only) is called too, the last call counts.
    pub fn v6_only(mut self) -> Self {
        self.only = Some(Family::V6);
        self
    }

    /// Selects only addresses of the interface with this MAC address. The host knows it from the machine's configuration,
    /// so it can find the right one of several interfaces.
    pub fn mac(mut self, mac: MacAddress) -> Self {
        self.mac = Some(mac);
        self
    }

    /// Returns the selected addresses, the best first. Texts that are no address are passed over.
    #[must_use]
    pub fn pick(&self, interfaces: &[GuestNetworkInterface]) -> Vec<UsableAddress> {
        let of_interest = interfaces
            .iter()
            .filter(|interface| self.mac.is_none() || interface.mac() == self.mac);
        let mut picked: Vec<_> = of_interest
            .flat_map(addresses)
            .filter(|address| self.allows(&address.ip))
            .collect();
        picked.sort_by_key(|address| address.ip.ip().is_ipv6() != self.v6_first);
        picked
    }

    fn allows(&self, ip: &GuestIp) -> bool {
        let family = if ip.ip().is_ipv4() {
            Family::V4
        } else {
            Family::V6
        };
        self.only.is_none_or(|only| only == family)
            && (self.loopback || !ip.is_loopback())
            && (self.link_local || !ip.is_link_local())
            && !ip.ip().is_unspecified()
            && !ip.ip().is_multicast()
    }
}

fn addresses(interface: &GuestNetworkInterface) -> impl Iterator<Item = UsableAddress> {
    let listed = interface.ip_addresses.iter().flatten();
    listed.filter_map(|address| {
        let ip = address.ip().ok()?;
        let bits = if ip.ip().is_ipv4() { 32 } else { 128 };
        Some(UsableAddress {
            interface: interface.name.clone(),
            mac: interface.mac(),
            ip,
            prefix: u8::try_from(address.prefix)
                .ok()
                .filter(|prefix| *prefix <= bits),
        })
    })
}
