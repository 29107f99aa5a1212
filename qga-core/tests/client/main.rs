//! The client against a peer that the test plays byte by byte.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::default_trait_access,
    clippy::needless_pass_by_value
)]

mod channels;
mod connect;
mod contact;
mod deadline;
mod debug;
mod ending;
mod exchange;
mod host;
mod idle;
mod inspect;
mod limits;
mod lock;
mod machine;
mod messages;
mod numbers;
mod outage;
mod pipeline;
mod policy;
mod reconnect;
mod refusal;
mod reply_timeout;
mod retry;
mod sharing;
mod standstill;
mod state;
mod support;
mod transport;
mod waiting;
