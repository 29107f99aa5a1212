//! Reaches QEMU guest agents through libvirt's daemon, without libvirt's C library.
//!
//! Libvirt holds the agent's socket of each of its domains, so that a client beside it hears nothing. This crate speaks
//! with libvirt's daemon over its Unix socket, and has it carry the agent's commands. It is told to a builder as a
//! scheme of addresses:
//!
//! ```no_run
//! # #[derive(qga_core::QgaCommand)]
//! # #[qga(name = "guest-ping")]
//! # struct Ping;
//! # async fn example() -> Result<(), qga_core::Error> {
//! let client = qga_core::Client::builder()
//!     .scheme_messages("libvirt", qga_libvirt::open)
//!     .connect("libvirt:vm1")
//!     .await?;
//! client.execute(Ping).await?;
//! # Ok(())
//! # }
//! ```
//!
//! # Addresses
//!
//! | text | domain |
//! |---|---|
//! | `libvirt:NAME`, `libvirt:UUID` | of the daemon that `LIBVIRT_DEFAULT_URI` names; without that of the system's daemon for root and for members of the group of its socket, and of this user's own daemon for all others |
//! | `libvirt:///system/NAME` | of the system's daemon |
//! | `libvirt:///session/NAME` | of this user's own daemon |
//! | `libvirt:///system/NAME?socket=PATH` | the same, of a daemon whose socket is elsewhere |
//! | `libvirt+ssh://USER@HOST:PORT/system/NAME` | of the daemon of another host, through OpenSSH's own client; user and port may be left out. It is a scheme of its own: [`open_ssh`] |
//! | `libvirt-channel:NAME/PORT`, `libvirt-channel:///system/NAME/PORT` | of the same daemons, but another agent at a [port of its own](#a-port-of-its-own), as a stream of bytes: [`open_channel`] |
//!
//! A UUID stands wherever a name does. Of `LIBVIRT_DEFAULT_URI`, the forms `qemu:///system`, `qemu:///session`,
//! `qemu+unix:///system?socket=PATH` and `qemu+ssh://USER@HOST/system` are known.
//!
//! On another host, libvirt's `virt-ssh-helper` leads to the daemon. Where it is missing, its socket is reached as that
//! of an agent is by an [`ssh` address](qga_core::SshAddress); that of a session's daemon has to be named by
//! `?socket=PATH` then.
//!
//! # What a daemon tells
//!
//! A [`Daemon`] lists its domains, and tells what happens to them. A client hears from it what becomes of its guest's
//! machine, so that the outcome of a shutdown, a reboot or a suspend is proven, and not only seen from the channel. The
//! daemon is asked for that with the first such operation.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let daemon = qga_libvirt::Daemon::open("libvirt:///system").await?;
//! for domain in daemon.domains().await? {
//!     println!("{}: {:?}, agent {:?}", domain.name, domain.power, domain.agent);
//! }
//! let mut events = daemon.events().await?;
//! while let Ok(event) = events.next().await {
//!     println!("{}: {:?}", event.name, event.kind);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # What is different from a socket of one's own
//!
//! - A request may have [200,000 bytes](qga_core::TransportLimits) and a reply 4 MiB. A `guest-file-read` of more than
//!   3,145,600 bytes is refused, since its bytes would be lost.
//! - A program's captured output comes in one reply with its end (`guest-exec-status`): above 4 MiB as base64 it is
//!   lost, and above 10 MiB libvirt gives the agent up, for all of its clients, until it is restarted in the guest.
//!   `qga_commands` lets programs write into files instead, which it reads in pieces. **Who sends `guest-exec` with
//!   `capture-output` himself must know that the output is short**, and so must who runs programs in a Windows guest,
//!   which has no shell for that.
//! - Libvirt does the syncs. A sync that a caller sends is answered here.
//! - While a domain is paused, while the guest does not have its agent's port open, and while somebody else's command
//!   keeps the agent, a command waits for the daemon's word that this has changed, and ends in a timeout that says that
//!   it has not run.
//! - Libvirt keeps the class of an agent's error to itself, so it is always `GenericError` here. Whether the agent has
//!   refused the command is told by its words.
//! - Before version 11.3, libvirt has one number for an agent that has gone and for one that was not there. What may
//!   have run is said to be so.
//! - A text with the character U+0000 in a request is refused, since libvirt would cut the text off there.
//!
//! # A port of its own
//!
//! A domain may have more than one agent, each at a port of its own. One that is not libvirt's is reached as a stream of
//! bytes, by [`open_channel`]. None of the limits above hold for it, and libvirt neither knows of it nor disturbs it.
//!
//! The domain needs another channel in its XML, whose name is any but the one of libvirt's agent. `virsh edit vm1` adds
//! it, and it is there from the next start on:
//!
//! ```xml
//! <devices>
//!   <channel type='unix'>
//!     <source mode='bind'/>
//!     <target type='virtio' name='org.qemu.guest_agent.1'/>
//!   </channel>
//! </devices>
//! ```
//!
//! In a guest with Linux, the port is a file in `/dev/virtio-ports`. A second agent is started on it, with a folder for its
//! state that the first one does not use:
//!
//! ```text
//! mkdir -p /run/qga-1
//! qemu-ga --method virtio-serial --path /dev/virtio-ports/org.qemu.guest_agent.1 --statedir /run/qga-1 --pidfile /run/qga-1/pid --daemonize
//! ```
//!
//! The two agents do not know of each other. Let one of them alone freeze filesystems, since the other one goes on writing.
//!
//! A port serves one client at a time, and a client that has gone frees it. On another host, the address is
//! `libvirt-channel://USER@HOST/system/NAME/PORT`. Libvirt does not tell whether an agent runs at the port: where none
//! does, the first command ends in a timeout of the sync.
//!
//! # Connections
//!
//! The guests of a daemon share up to four connections in each tokio runtime, and one more while somebody listens to its
//! events. A connection is opened when one is
//! needed, and closed after 30 seconds in which nobody has used it. Up to four commands are under way on each, so that
//! 16 guests that hang hold up the others until their time is up. Each connection is driven by a task of its own, which
//! ends with its last user.
//!
//! A connection works while its runtime runs: a client that was made in one runtime and is used in another opens another
//! connection there once that of the first has ended.
//!
//! A stream of bytes has a connection of its own.
//!
//! A daemon that wants SASL cannot be used; the error says what to do.
#![cfg(unix)]

mod agent;
mod ask;
mod channel;
mod connection;
mod daemon;
mod dial;
mod domain_watch;
mod events;
mod hub;
mod pool;
mod target;
mod wire;

use std::io;
use std::pin::Pin;
use std::sync::Arc;

use target::{ChannelTarget, Host, Target};

pub use agent::DomainAgent;
pub use channel::DomainChannel;
pub use daemon::{AgentState, Daemon, Domain};
pub use domain_watch::DomainWatch;
pub use events::{Event, EventKind, Events, Missed};

#[cfg(feature = "__fuzz")]
#[doc(hidden)]
pub use wire::fuzz as __fuzz;

/// Opens the agent of the domain that an address of the scheme `libvirt` names, given what stands behind its colon.
/// It is what [`scheme_messages`](qga_core::ClientBuilder::scheme_messages) of a builder wants.
///
/// Whether the agent answers shows with the first command.
///
/// # Errors
///
/// - `InvalidInput` if the address makes no sense
/// - `NotFound` if there is no such daemon or domain, or the domain has no channel for the agent
/// - `ConnectionRefused` if the daemon has stopped, or the domain is off
/// - `PermissionDenied` if this user may not use the daemon
///
/// # Panics
///
/// Outside of a tokio runtime.
///
/// # Cancel safety
///
/// If the future is dropped, nothing is left behind.
pub async fn open(rest: String) -> io::Result<DomainAgent> {
    DomainAgent::open(Target::read(&rest, &Host::this())?).await
}

/// Opens the agent of the domain that an address of the scheme `libvirt+ssh` names, as [`open`] does for those of this
/// host.
///
/// ```no_run
/// # async fn example() -> Result<(), qga_core::Error> {
/// let client = qga_core::Client::builder()
///     .scheme_messages("libvirt+ssh", qga_libvirt::open_ssh)
///     .connect("libvirt+ssh://root@hypervisor7/system/vm1")
///     .await?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// As [`open`], and when ssh fails: the error has its words.
///
/// # Panics
///
/// Outside of a tokio runtime.
///
/// # Cancel safety
///
/// If the future is dropped, nothing is left behind.
pub async fn open_ssh(rest: String) -> io::Result<DomainAgent> {
    DomainAgent::open(Target::read_ssh(&rest)?).await
}

/// Opens the port of a domain that an address of the scheme `libvirt-channel` names, given what stands behind its colon, as
/// a stream of bytes. It is what [`scheme`](qga_core::ClientBuilder::scheme) of a builder wants.
///
/// ```no_run
/// # async fn example() -> Result<(), qga_core::Error> {
/// let client = qga_core::Client::builder()
///     .scheme("libvirt-channel", qga_libvirt::open_channel)
///     .connect("libvirt-channel:vm1/org.qemu.guest_agent.1")
///     .await?;
/// # Ok(())
/// # }
/// ```
///
/// The [page of this crate](crate#a-port-of-its-own) says how a domain comes to have such a port. An agent that is
/// reached by it has no limits of libvirt's, and libvirt does not know of it.
///
/// A port has one user at a time. With `?force` behind the address, it is taken away from the one that has it, whose stream
/// ends in an error: that is for a port that was left busy, such as by a client that was killed while the guest did not
/// read.
///
/// # Errors
///
/// - `InvalidInput` if the address makes no sense, or names no port, or the one that libvirt itself uses
/// - `NotFound` if there is no such daemon, domain or port
/// - `ResourceBusy` if somebody has it open, so that the client's error [is held](qga_core::Error::is_held)
/// - `ConnectionRefused` if the daemon has stopped, or the domain is off
/// - `PermissionDenied` if this user may not use the daemon
///
/// # Panics
///
/// Outside of a tokio runtime.
///
/// # Cancel safety
///
/// If the future is dropped, the daemon frees the port when it sees the connection end.
pub async fn open_channel(rest: String) -> io::Result<DomainChannel> {
    DomainChannel::open(&ChannelTarget::read(&rest, &Host::this())?).await
}

/// What libvirt knows of the machine whose agent an address names, whichever of the schemes it is of; see
/// [`Daemon::machine`].
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let machine = qga_libvirt::machine("libvirt:vm1").await?;
/// let client = qga_core::Client::builder()
///     .scheme_messages("libvirt", qga_libvirt::open)
///     .machine(&machine)
///     .connect("libvirt:vm1")
///     .await?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// As [`open`], but the domain may be off, and may have no channel for an agent.
///
/// # Panics
///
/// Outside of a tokio runtime.
///
/// # Cancel safety
///
/// If the future is dropped, nothing is left behind.
pub async fn machine(address: &str) -> io::Result<DomainWatch> {
    Daemon::machine_at(Target::read_address(address, &Host::this())?).await
}

/// As [`open_ssh`], by a program that is OpenSSH's client or behaves like it, with arguments that come before all others.
///
/// ```no_run
/// # async fn example() -> Result<(), qga_core::Error> {
/// let open = qga_libvirt::open_ssh_by(["ssh", "-F", "/etc/qga/ssh_config"]);
/// let client = qga_core::Client::builder()
///     .scheme_messages("libvirt+ssh", open)
///     .connect("libvirt+ssh://root@hypervisor7/system/vm1")
///     .await?;
/// # Ok(())
/// # }
/// ```
pub fn open_ssh_by<W: Into<String>>(program: impl IntoIterator<Item = W>) -> SshOpener {
    let program: Arc<[String]> = program.into_iter().map(Into::into).collect();
    Box::new(move |rest| {
        let program = program.clone();
        Box::pin(async move { DomainAgent::open(Target::read_ssh(&rest)?.by(&program)).await })
    })
}

/// What [`open_ssh_by`] returns: it opens the agents of domains on other hosts.
pub type SshOpener = Box<dyn Fn(String) -> Opening + Send + Sync>;

/// The future of an [`SshOpener`].
pub type Opening = Pin<Box<dyn Future<Output = io::Result<DomainAgent>> + Send>>;
