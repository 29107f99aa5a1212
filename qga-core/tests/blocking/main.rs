//! The blocking client against a peer that the test plays in another thread, byte by byte.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::default_trait_access,
    clippy::needless_pass_by_value
)]
#![cfg(unix)]

mod connect;
mod deadline;
mod ending;
mod exchange;
mod hostile;
mod idle;
mod outage;
mod pipeline;
mod policy;
mod raw;
mod retry;
mod standstill;
mod stream;
mod support;
mod turns;
