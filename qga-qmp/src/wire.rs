//! What the bytes between a client and a monitor mean.
//!
//! Nothing here does I/O or knows the time: the engine, [`session`], is told what has arrived and what was written, and
//! says what to write and what became of each request.

#[cfg(feature = "__fuzz")]
pub mod fuzz;
pub(crate) mod incoming;
pub(crate) mod limits;
pub(crate) mod objects;
pub(crate) mod session;
