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
//! There is a module for each domain. A command is named as on the wire, without `guest-`; what
//! it needs goes to `new`, and there is a method for each thing that may be left out:
//!
//! ```no_run
//! use qga_commands::exec::Exec;
//!
//! # async fn example(client: qga_core::Client) -> Result<(), qga_core::Error> {
//! let uname = Exec::new("uname").arg(["-r"]).capture_output(true);
//! let process = client.execute(uname).await?;
//! # Ok(())
//! # }
//! ```
//!
//! What people do with an agent is in [`guest`], on top of the commands:
//!
//! ```no_run
//! use qga_commands::Guest;
//!
//! # async fn example() -> Result<(), qga_commands::GuestError> {
//! let guest = Guest::connect("unix:/run/vm1/qga.sock").await?;
//! let output = guest.command("uname").arg("-r").output().await?;
//! println!("{}", output.stdout_lossy());
//! # Ok(())
//! # }
//! ```
//!
//! Replies of agents from QEMU 7.2 on decode. What a later agent adds is passed over: members of
//! objects are ignored, and enums and unions keep what they do not know as `Unknown`.

mod address;
mod branch;
mod bytes;
pub mod capabilities;
mod generated;
pub mod guest;
mod guest_time;
mod limits;
pub mod policy;
pub mod schema;
mod secret;
mod usable;

pub use address::{AddressError, GuestIp, MacAddress};
pub use bytes::Bytes;
pub use capabilities::{Capabilities, ClientExt};
pub use generated::{
    agent, cpu, device, disk, exec, file, fs, memory, net, os, power, ssh, time, user,
};
pub use guest::{Guest, GuestBuilder, GuestError};
pub use guest_time::{GuestTime, TimeError};
pub use secret::Secret;
pub use usable::{Usable, UsableAddress};
