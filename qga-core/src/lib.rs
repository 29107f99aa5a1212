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
//! #[qga(name = "guest-file-open", response = i64)]
//! struct FileOpen<'a> {
//!     path: &'a str,
//!     mode: Option<&'a str>,
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), qga_core::Error> {
//! # let agent = qga_testserver::TestAgent::start().await;
//! # agent.file("/etc/hostname", "vm1\n");
//! # let address = agent.address();
//! let client = Client::connect(address).await?; // "unix:/run/vm1/qga.sock"
//! let handle = client
//!     .execute(FileOpen { path: "/etc/hostname", mode: None })
//!     .await?;
//! # assert_eq!(handle, 1000);
//! # Ok(())
//! # }
//! ```
//!
//! The crate `qga-commands` has the agent's own commands ready made, and `qga-testserver` a fake
//! agent for tests.
//!
//! # What you can rely on
//!
//! - A reply is never given to the wrong command. The channel may hold replies that somebody else
//!   left unread, so every connection begins with a [sync], and after a timeout, a dropped future or
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
//! What your program must not send, the client can [refuse](ClientBuilder::allow).
//!
//! # Runtime
//!
//! The client needs a tokio runtime with I/O and time enabled (`#[tokio::main]` has both). It starts
//! no task: the caller's own task reads and writes.

#[doc(hidden)]
#[path = "private.rs"]
pub mod __private;
mod address;
mod attachments;
mod buffers;
mod channel;
mod client;
mod command;
mod connect;
mod deadline;
mod driver;
mod decode;
mod error;
mod excerpt;
mod gate;
mod lock;
mod messages;
mod options;
mod protocol;
mod retry;
mod pipeline;
mod state;
mod trace;

pub use address::{Address, AddressError};
pub use client::{Client, ClientBuilder};
pub use command::{CommandSpec, Empty, GuestAgent, NoReply, QgaCommand, Reply, Retry};
pub use decode::DecodeError;
pub use error::{AgentError, Error, ErrorKind, Execution, JsonError, Malformed, Stage, TransportError};
pub use excerpt::Excerpt;
pub use gate::Hold;
pub use messages::{Answering, MessageTransport, TransportLimits};
pub use options::Options;
pub use pipeline::Pipeline;
pub use qga_derive::QgaCommand;
pub use state::ChannelState;
