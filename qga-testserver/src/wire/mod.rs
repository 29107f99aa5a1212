//! What goes over a connection: JSON as the agent spells it, requests, replies, and the sockets themselves.

pub(crate) mod arrivals;
pub(crate) mod chunk;
pub(crate) mod json;
pub(crate) mod listener;
pub(crate) mod reply;
pub(crate) mod request;
pub(crate) mod socket;
