//! Where a guest can be reached, and where it sends its packets.
//!
//! ```no_run
//! # async fn example(guest: qga_commands::Guest) -> Result<(), qga_commands::GuestError> {
//! use qga_commands::Usable;
//!
//! if let Some(best) = guest.addresses(&Usable::new()).await?.first() {
//!     println!("ssh root@{}", best.ip);
//! }
//! for route in guest.routes().await? {
//!     println!("{}/{} by {}", route.destination, route.prefix, route.interface);
//! }
//! # Ok(())
//! # }
//! ```

use std::net::{IpAddr, Ipv4Addr};

use super::{Guest, GuestError};
use crate::commands::net::{
    GuestNetworkInterface, GuestNetworkRoute, NetworkGetInterfaces, NetworkGetRoute,
};
use crate::{Usable, UsableAddress};

/// The kernel's mark of a route that leads nowhere.
const REJECT: u64 = 0x200;

/// A route of the guest, to an IPv4 or an IPv6 network.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Route {
    /// The interface through which it leads.
    pub interface: String,
    /// The network to which it leads.
    pub destination: IpAddr,
    /// How many leading bits of the destination count.
    pub prefix: u8,
    /// The router that forwards the packets; `None` if the network is on the interface's own link.
    pub gateway: Option<IpAddr>,
    /// Its cost: of several routes, the guest takes the one with the lowest. `None` if the guest does not tell.
    pub metric: Option<u32>,
    /// Whether packets to this network are rejected.
    pub is_reject: bool,
}

impl Route {
    /// Whether this is a default route, which the guest takes if no other route fits.
    #[must_use]
    pub fn is_default(&self) -> bool {
        self.prefix == 0 && !self.is_reject
    }
}

impl Guest {
    /// The guest's network interfaces, with their addresses and their counts of packets and bytes.
    ///
    /// Since QEMU 1.1.
    ///
    /// # Errors
    ///
    /// As [`execute`](Self::execute).
    ///
    /// # Cancel safety
    ///
    /// As [`execute`](Self::execute); nothing is changed in the guest.
    pub async fn interfaces(&self) -> Result<Vec<GuestNetworkInterface>, GuestError> {
        self.execute(NetworkGetInterfaces).await
    }

    /// The addresses under which the guest can be reached, the best first. [`Usable`] selects which addresses count.
    /// Texts of the guest that are no address are passed over.
    ///
    /// Since QEMU 1.1.
    ///
    /// # Errors
    ///
    /// As [`execute`](Self::execute). A guest without a network has no addresses, which is no error.
    ///
    /// # Cancel safety
    ///
    /// As [`execute`](Self::execute); nothing is changed in the guest.
    pub async fn addresses(&self, usable: &Usable) -> Result<Vec<UsableAddress>, GuestError> {
        Ok(usable.pick(&self.interfaces().await?))
    }

    /// The guest's routes, in the guest's order. Entries that are no valid route are passed over;
    /// [`NetworkGetRoute`] returns them as they came.
    ///
    /// Since QEMU 9.1, on Linux, and on Windows since 11.0.
    ///
    /// # Errors
    ///
    /// As [`execute`](Self::execute).
    ///
    /// # Cancel safety
    ///
    /// As [`execute`](Self::execute); nothing is changed in the guest.
    pub async fn routes(&self) -> Result<Vec<Route>, GuestError> {
        let told = self.execute(NetworkGetRoute).await?;
        Ok(told.into_iter().filter_map(route).collect())
    }
}

/// The two versions of IP have different members.
fn route(told: GuestNetworkRoute) -> Option<Route> {
    let destination: IpAddr = told.destination.parse().ok()?;
    let (prefix, gateway) = match destination {
        IpAddr::V4(_) => (mask_bits(told.mask.as_deref()?)?, told.gateway),
        IpAddr::V6(_) => (told.destination_prefix?.parse().ok()?, told.nexthop),
    };
    let gateway = gateway.and_then(|gateway| gateway.parse().ok());
    let bits = if destination.is_ipv4() { 32 } else { 128 };
    (prefix <= bits).then(|| Route {
        interface: told.iface,
        destination,
        prefix,
        gateway: gateway.filter(|gateway: &IpAddr| !gateway.is_unspecified()),
        metric: u32::try_from(told.metric).ok(),
        is_reject: told.flags.is_some_and(|flags| flags & REJECT != 0),
    })
}

/// How many ones a mask has, if they are all in front.
fn mask_bits(mask: &str) -> Option<u8> {
    let mask: Ipv4Addr = mask.parse().ok()?;
    let ones = mask.to_bits().leading_ones();
    (mask.to_bits().count_ones() == ones).then(|| u8::try_from(ones).ok())?
}
