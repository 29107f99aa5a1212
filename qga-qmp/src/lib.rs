//! The monitor of a machine that QEMU runs: typed commands, events, and what becomes of the machine (QMP).
//!
//! A guest's agent cannot say that its machine is off, sleeps, has panicked or stands still: it just falls silent. QEMU
//! itself says each of these through its monitor, which is a socket beside that of the agent.
//!
//! ```no_run
//! use qga_qmp::commands::status::QueryStatus;
//! use qga_qmp::{EventKind, Monitor};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let monitor = Monitor::connect("/run/vm1/qmp.sock").await?;
//! let mut events = monitor.events();
//! println!("{}", monitor.execute(QueryStatus).await?.status);
//! while let Some(event) = events.next().await {
//!     match event?.kind {
//!         EventKind::Shutdown(shutdown) => println!("it goes off: {}", shutdown.reason),
//!         event => println!("{}", event.name()),
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # What QEMU has to be told
//!
//! ```text
//! qemu-system-x86_64 ... \
//!     -qmp unix:/run/vm1/qmp.sock,server=on,wait=off \
//!     -chardev socket,id=qga0,path=/run/vm1/qga.sock,server=on,wait=off \
//!     -device virtio-serial \
//!     -device virtserialport,id=agent,chardev=qga0,name=org.qemu.guest_agent.0
//! ```
//!
//! **The port of the agent needs an `id=`**, which most command lines that are passed around lack. Without one, QEMU tells
//! nobody when the guest opens or closes the port. Then a [`MonitorWatch`] asks for it, up to five times a second, and an
//! agent that is there again is noticed that much later; one that was gone for less than that is not noticed at all.
//!
//! An agent at a serial port (`isa-serial`) has no such port: it always seems to be open, so nothing is told of it.
//!
//! A monitor serves one client at a time. Another one may connect, but hears nothing until the first has gone: the
//! [error](Monitor::connect) says so. A machine may have several monitors, by `-qmp` given more than once; all of them tell
//! of all events.
//!
//! # What you can rely on
//!
//! - Everything ends: opening the connection, the greeting, the consent, and each command have their time.
//! - A reply goes to its own command or to none. Nothing is sent twice.
//! - What a monitor sends is bounded, in length, depth and number, and so is what is kept of events that nobody reads.
//! - Every future may be dropped at any time.
//! - A command says by its [error](qga_core::Error::execution) whether it may have run.
//! - There is no task behind a [`Monitor`]; there is one behind a [`MonitorWatch`], while somebody has it.
//!
//! # Commands
//!
//! Those in [`commands`] are typed. [`Monitor::execute_raw`] sends any other one, and [`Qmp`] shows how one of your own is
//! derived. A client of the guest agent does not take a command of the monitor, nor the other way round: the compiler
//! tells.

mod events;
mod failure;
mod later;
mod link;
#[cfg(feature = "guest")]
pub mod machine;
mod monitor;
mod port;
mod protocol;
mod request;
mod ring;
mod wakers;
mod watch;
mod wire;

pub mod commands;

pub use commands::event::EventKind;
pub use events::{Event, Events, Missed};
#[cfg(feature = "guest")]
pub use machine::{Machine, MachineError};
pub use monitor::{Monitor, MonitorBuilder};
pub use port::AgentPort;
pub use protocol::{OutOfBand, Qmp};
pub use watch::MonitorWatch;
#[cfg(feature = "__fuzz")]
#[doc(hidden)]
pub use wire::fuzz as __fuzz;
pub use wire::incoming::{RawEvent, Version};
