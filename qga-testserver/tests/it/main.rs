//! The fake agent over real and in-memory channels, by plain bytes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests fail like tests"
)]

mod caller;
mod cassette;
mod clients;
mod conformance;
mod core_client;
mod exec;
mod faults;
#[cfg(unix)]
mod file_errors;
mod files;
mod guest;
mod interrupted;
#[cfg(target_os = "linux")]
mod memory;
mod messages;
#[cfg(unix)]
mod monitor;
mod power;
mod profiles;
#[cfg(all(unix, feature = "cli"))]
mod program;
mod protocol;
#[cfg(unix)]
mod real_agent;
#[cfg(all(unix, feature = "cli"))]
mod real_cassette;
mod scripts;
#[cfg(all(unix, feature = "cli"))]
mod served;
mod stubs;
mod wire;
