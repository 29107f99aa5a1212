//! The fake agent over real and in-memory channels, by plain bytes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests fail like tests"
)]

mod clients;
mod conformance;
mod faults;
mod files;
mod protocol;
#[cfg(unix)]
mod real_agent;
mod stubs;
mod wire;
