//! Everything that is tested of this crate from outside, in one program, since each costs a link.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "all of this is a test"
)]

mod accounts;
mod allowed;
mod before;
mod capabilities;
mod carried;
mod clock;
mod common;
mod copy;
mod copy_bundles;
mod copy_links;
mod copy_owner;
mod copy_resume;
mod copy_resume_trees;
mod copy_sizes;
mod copy_swaps;
mod disk_usage;
mod disks;
mod errors;
mod files;
mod fleet;
mod freeze;
mod freeze_among_tasks;
mod freeze_and_runtime;
mod freeze_and_waiting;
mod freeze_until;
mod health;
mod hotplug;
mod incarnation;
mod messages;
mod network;
mod optional;
mod outage;
mod policy;
mod power;
mod process;
mod ready;
mod real;
mod real_shells;
mod replies;
mod requests;
mod schema;
mod secrets;
mod send;
mod spelling;
mod ssh_keys;
#[cfg(unix)]
mod standstill;
mod streaming;
mod support;
mod table;
mod tokens;
mod usable;
mod within;
