//! Which agents' channels there are on this host.
//!
//! [`discover()`] looks for them, and the types here are what it returns.

use std::fmt;

#[cfg(target_os = "linux")]
mod bounded;
#[cfg(target_os = "linux")]
mod folders;
mod found;
#[cfg(all(target_os = "linux", feature = "__fuzz"))]
#[doc(hidden)]
pub mod fuzz;
#[cfg(target_os = "linux")]
mod holders;
#[cfg(target_os = "linux")]
mod host;
#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
mod locks;
#[cfg(target_os = "linux")]
mod microvm;
#[cfg(target_os = "linux")]
mod process;
#[cfg(target_os = "linux")]
mod qemu;
#[cfg(target_os = "linux")]
mod report;
#[cfg(target_os = "linux")]
mod roots;
#[cfg(target_os = "linux")]
mod socket_files;
#[cfg(target_os = "linux")]
mod tcp_table;
#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests;
#[cfg(target_os = "linux")]
mod unix_peers;
#[cfg(target_os = "linux")]
mod unix_table;
mod unseen;

pub use found::{Found, Holder, Process, Reach, Source};
pub use unseen::Unseen;

use crate::transport::Address;

/// Looks for the channels of guests' agents on this host.
///
/// It reads folders where channels usually are (libvirt's, also of a user's session, `KubeVirt`'s, Proxmox VE's, and
/// `qga.sock` in `/run` and `/tmp`), and in `/proc` the command lines and open sockets of QEMU, Firecracker, Cloud
/// Hypervisor and `vhost-device-vsock`. It connects to nothing, so no agent and no client notices. Without root it finds
/// what its user may see. Whatever it could not see is in [`Discovered::unseen`].
///
/// ```
/// let found = qga_core::discover();
/// for agent in &found.agents {
///     println!("{agent}");
///     if let Some(address) = agent.reach.address() {
///         println!("  can be passed to Client::connect: {address}");
///     }
/// }
/// for unseen in &found.unseen {
///     eprintln!("{unseen}");
/// }
/// ```
///
/// What it finds is what others claim: whoever may run a program on this host can name one like QEMU, with a guest's
/// name and a socket of their own. Look at [`Found::owner`] before you send a secret.
///
/// These are not found: what QEMU is told by `-readconfig` or its monitor, an agent on a serial line unless the id of the
/// line or of its character device has `qga` or `agent` in it (others are consoles), and agents other than `qemu-ga`,
/// such as those of Incus and LXD, whose machines have a channel for `qemu-ga` only where `raw.qemu` adds one. Domains
/// of libvirt whose channels this user may not see are libvirt's to list.
///
/// It blocks the thread for some milliseconds, and longer on a host with thousands of processes; in async code,
/// call it in `tokio::task::spawn_blocking`. It looks at the files that command lines name, so it hangs where such a file
/// is on a network filesystem that hangs. On systems other than Linux it finds nothing, and says so.
#[must_use]
pub fn discover() -> Discovered {
    #[cfg(target_os = "linux")]
    return linux::discover(&roots::Roots::of_this_host(), &unix_peers::of_this_host);
    #[cfg(not(target_os = "linux"))]
    Discovered {
        agents: Vec::new(),
        unseen: vec![Unseen::new(
            "this host",
            "channels are looked for on Linux alone",
        )],
    }
}

/// Looks who listens at an address on this host, and who is connected there, whether [`discover`] would find it or not.
///
/// It returns nothing of an address that leads elsewhere, or to no channel of this host, or where nobody listens: so of a
/// program, of another host, and of a name in place of an IP address. It connects to nothing.
///
/// ```
/// use qga_core::discover::{self, Holder};
///
/// let address = "unix:/run/vm1/qga.sock".parse()?;
/// if let Some(found) = discover::look_at(&address)
///     && let Holder::Process(client) = found.holder
/// {
///     println!("{client} is connected"); // such as: qga (process 4711) is connected
/// }
/// # Ok::<(), qga_core::AddressError>(())
/// ```
///
/// Like [`discover`], it blocks its thread for some milliseconds. On systems other than Linux it returns nothing.
#[must_use]
pub fn look_at(address: &Address) -> Option<Found> {
    #[cfg(target_os = "linux")]
    return linux::look_at(
        address,
        roots::Roots::of_this_host(),
        &unix_peers::of_this_host,
    );
    #[cfg(not(target_os = "linux"))]
    {
        let _ = address;
        None
    }
}

/// What [`discover`] has found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Discovered {
    /// The channels, each once, in the order of their guests' names and addresses; 10,000 at most.
    pub agents: Vec<Found>,
    /// What could not be seen or told, so that agents or facts of them may be missing; 1,000 entries at most.
    pub unseen: Vec<Unseen>,
}

/// A line for each agent, and for each thing that could not be seen.
impl fmt::Display for Discovered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for agent in &self.agents {
            writeln!(f, "{agent}")?;
        }
        for unseen in &self.unseen {
            writeln!(f, "not seen: {unseen}")?;
        }
        Ok(())
    }
}
