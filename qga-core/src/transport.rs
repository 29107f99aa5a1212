//! What carries bytes or messages to an agent, and how it is opened.

mod address;
mod carrier;
mod messages;
mod open;

pub use address::Address;
pub(crate) use carrier::Carrier;
pub use messages::{Answering, MessageTransport, TransportLimits};
pub(crate) use open::{Endpoint, Opening, connect_error};
