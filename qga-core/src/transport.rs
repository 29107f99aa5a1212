//! What carries bytes or messages to an agent, and how it is opened.

mod address;
mod blocking_stream;
mod carrier;
mod messages;
mod open;
mod open_blocking;

pub use address::Address;
pub use blocking_stream::Stream as BlockingStream;
pub(crate) use carrier::Carrier;
pub use messages::{Answering, MessageTransport, TransportLimits};
pub(crate) use open::{Endpoint, Opening, connect_error, read_address, text_of};
pub(crate) use open_blocking::BlockingEndpoint;
