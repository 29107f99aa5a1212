//! The program as its users run it, with fake guests.

#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "all of this is a test"
)]

mod accounts;
mod completing;
mod copy;
mod cuts;
mod doctor;
mod each;
mod events;
mod exec;
mod freeze;
mod help;
mod look;
mod names;
mod power;
mod raw;
mod readme;
mod real;
mod shapes;
mod sharing;
mod signals;
mod snapshot;
mod support;
mod terminal;
mod verbose;
mod wait;
