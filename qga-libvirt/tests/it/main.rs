//! Guests behind a fake daemon.

#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "all of this is a test"
)]

mod careless;
mod channels;
mod daemon;
mod endurance;
mod failures;
mod guests;
mod ssh;
mod standstill;
mod support;
mod watching;
