//! What the bytes of a channel mean: a state machine without a socket, a clock or a runtime.
//!
//! A [`Session`] is told what arrived, what was written and what time it is; it says what to write,
//! until when to wait, and what became of each request. A driver does the rest, and knows nothing of
//! the protocol.

mod frame;
#[cfg(feature = "__fuzz")]
pub mod fuzz;
mod handshake;
mod limits;
mod matching;
mod message;
#[cfg(test)]
mod model;
mod outgoing;
mod random;
mod response;
mod session;

pub(crate) use limits::{ReplyLimits, SyncBudget};
pub(crate) use message::Request;
pub(crate) use random::Random;
pub(crate) use response::{Response, Typed};
pub(crate) use session::{Budget, Event, Session, Ticket};
