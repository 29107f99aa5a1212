//! A client for the QEMU guest agent.

mod command;
#[doc(hidden)]
#[path = "private.rs"]
pub mod __private;

pub use command::{Empty, NoReply, QgaCommand, Reply, Retry};
pub use qga_derive::QgaCommand;
