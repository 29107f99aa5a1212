//! QEMU's monitor (QMP).

mod events;
mod failure;
mod link;
mod monitor;
mod protocol;
mod request;
mod ring;
mod wakers;
mod wire;

pub mod commands;

pub use commands::event::EventKind;
pub use events::{Event, Events, Missed};
pub use monitor::{Monitor, MonitorBuilder};
pub use protocol::{OutOfBand, Qmp};
pub use wire::incoming::{RawEvent, Version};

#[cfg(feature = "__fuzz")]
#[doc(hidden)]
pub use wire::fuzz as __fuzz;
