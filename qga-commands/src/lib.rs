//! The QEMU guest agent's commands, strongly typed.
//!
//! ```no_run
//! use qga_commands::{net, os};
//!
//! # async fn example() -> Result<(), qga_core::Error> {
//! let client = qga_core::Client::connect("unix:/run/vm1/qga.sock").await?;
//! let os = client.execute(os::GetOsInfo).await?;
//! println!("{}", os.pretty_name.unwrap_or_default());
//! for interface in client.execute(net::NetworkGetInterfaces).await? {
//!     println!("{}", interface.name);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! There is a module for each domain. A command is named as on the wire, without `guest-`.

pub mod agent;
pub mod net;
pub mod os;
pub mod time;
