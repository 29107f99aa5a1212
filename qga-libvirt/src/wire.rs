//! What the bytes between a client and libvirt's daemon mean, without I/O.
//!
//! A packet is its length, six words of a header, and a payload in XDR: numbers are big-endian, and everything takes a
//! multiple of four bytes.

pub(crate) mod agent_port;
pub(crate) mod call;
pub(crate) mod event;
pub(crate) mod failure;
pub(crate) mod packet;
pub(crate) mod stream;
pub(crate) mod types;
pub(crate) mod xdr;

#[cfg(feature = "__fuzz")]
pub mod fuzz;

#[cfg(test)]
mod transcript;
