//! A monitor's client, against a monitor that is played.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "all of this is a test"
)]

mod commands;
mod connecting;
mod events;
mod hostile;
mod peer;
mod recorded;
mod schema;
mod snapshots;
mod together;
mod watching;
