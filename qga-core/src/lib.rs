//! A client for the QEMU guest agent: derive your own commands, run them safely.
//!
//! The guest agent (`qemu-ga`) runs in a virtual machine and carries out commands that its host
//! sends through a channel: a Unix socket, most often. A command here is a struct:
//!
//! ```
//! use qga_core::{Client, QgaCommand};
//! use serde::Deserialize;
//!
//! #[derive(QgaCommand)]
//! #[qga(name = "guest-get-host-name", response = HostName)]
//! struct GetHostName;
//!
//! #[derive(Deserialize)]
//! #[serde(rename_all = "kebab-case")]
//! struct HostName {
//!     host_name: String,
//! }
//!
//! #[tokio::main]
//! async fn main() -> Result<(), qga_core::Error> {
//!     let address = "unix:/run/vm1/qga.sock"; // or "ssh://host/run/vm1/qga.sock", and others
//! #   let agent = qga_testserver::TestAgent::start().await;
//! #   let address = agent.address();
//!     let client = Client::connect(address).await?;
//!     let host = client.execute(GetHostName).await?;
//!     println!("{}", host.host_name);
//!     Ok(())
//! }
//! ```
//!
//! with these dependencies, where this repository lies beside your crate and is called `qga`:
//!
//! ```toml
//! [dependencies]
//! qga-core = { path = "../qga/qga-core" }
//! serde = { version = "1", features = ["derive"] }
//! tokio = { version = "1", features = ["macros", "rt-multi-thread"] }
//! ```
//!
//! **To use a guest rather than to write commands, take `qga_commands::Guest`**: the crate `qga-commands` has the
//! agent's own commands ready made, and on top of them what people do with a guest, such as running programs, copying files
//! and freezing filesystems. The crate `qga-testserver` has a fake agent for tests.
//!
//! # What you can rely on
//!
//! - A reply is never given to the wrong command. The channel may hold replies that somebody else
//!   left unread, so every connection begins with a sync, and after a timeout, a dropped future or
//!   a broken line the next command synchronizes first.
//! - Every command ends by its deadline, whatever the guest does, and reads no more than its limit:
//!   see [`Options`].
//! - A command that changes the guest is sent once, unless you [say](Options::retry) that it may be
//!   sent again; one that only asks is asked again when the channel failed.
//! - Every future may be dropped at any time.
//! - An [`Error`] tells whether the command may have run in the guest: [`Error::execution`].
//!
//! # One client a channel
//!
//! An agent serves one client at a time; a second one connects and hears nothing. So clone one
//! [`Client`] for all the tasks of a program, and expect a timeout in [`Stage::Sync`] where another
//! program, such as libvirt, holds the channel. Two programs that both use this crate see each other
//! by a [lock](ClientBuilder::lock).
//!
//! Which channels there are on a host, and who is connected to them, [`discover()`] tells.
//!
//! What your program must not send, the client can [refuse](ClientBuilder::allow).
//!
//! # Systems
//!
//! Everything here is tested on Linux. On other Unix systems there is no vsock and nothing is discovered; on Windows
//! only `tcp:`, and channels that you open yourself, are left. It has compiled for Windows, and was never run
//! there.
//!
//! # Runtime
//!
//! The client needs a tokio runtime with I/O and time enabled (`#[tokio::main]` has both). It starts
//! no task: the caller's own task reads and writes.

// Where the other crates' pages find this one's if they are rendered without it; nothing else tells rustdoc.
#![doc(html_root_url = "https://docs.rs/qga-core/latest")]

#[doc(hidden)]
#[path = "private.rs"]
pub mod __private;
pub mod base64;
pub mod blocking;
mod client;
mod command;
pub mod discover;
mod error;
pub mod fleet;
mod json;
pub mod parts;
mod protocol;
mod terms;
mod text;
mod transport;

pub use client::{Client, ClientBuilder, Execute, Pipeline};
pub use command::{CommandSpec, Empty, GuestAgent, NoReply, QgaCommand, Reply, RetryClass};
pub use discover::discover;
pub use error::{
    AddressError, AgentError, DecodeError, Error, ErrorKind, Execution, Malformed, Power, Stage,
    TransportError,
};
pub use fleet::Fleet;
pub use json::{JsonError, RawObject};
#[cfg(feature = "__fuzz")]
#[doc(hidden)]
pub use protocol::fuzz as __fuzz;
pub use qga_derive::QgaCommand;
pub use terms::{ChannelState, Contact, Hold, Options};
pub use text::{Excerpt, Hidden};
#[cfg(unix)]
pub use transport::SshStream;
pub use transport::{
    Address, Answering, Direction, MachineState, MachineWatch, MessageTransport, SshAddress,
    TransportLimits,
};
