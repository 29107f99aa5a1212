//! A client for the QEMU guest agent: derive your own commands, run them safely.

#[doc(hidden)]
#[path = "private.rs"]
pub mod __private;
mod address;
mod client;
mod command;
mod connect;
mod connection;
mod deadline;
mod error;
pub mod frame;
mod lines;
mod matching;
pub mod message;
mod options;
mod pipeline;
pub mod sync;

pub use address::{Address, AddressError};
pub use client::{Client, ClientBuilder};
pub use command::{Empty, NoReply, QgaCommand, Reply, Retry};
pub use connection::Connection;
pub use error::{AgentError, Error, ErrorKind, Execution, Malformed, Stage};
pub use options::Options;
pub use pipeline::Pipeline;
pub use qga_derive::QgaCommand;
