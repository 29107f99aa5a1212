//! A guest in QEMU, seen through its agent: programs, files, snapshots, power, and each command of the agent.
//!
//! Begin with a [`Guest`]:
//!
//! ```
//! use qga_commands::Guest;
//!
//! #[tokio::main]
//! async fn main() -> Result<(), qga_commands::GuestError> {
//!     let address = "unix:/run/vm1/qga.sock"; // or "tcp:host:port"
//! #   let agent = qga_testserver::TestAgent::start().await;
//! #   agent.program("uname").stdout("6.12.43\n").exit(0);
//! #   let address = agent.address();
//!     let guest = Guest::connect(address).await?;
//!     let kernel = guest.command("uname").arg("-r").output().await?;
//!     println!("{}: {}", guest.host_name().await?, kernel.stdout_lossy());
//!     Ok(())
//! }
//! ```
//!
//! with these dependencies, where this repository lies beside your crate and is called `qga`:
//!
//! ```toml
//! [dependencies]
//! qga-commands = { path = "../qga/qga-commands" }
//! tokio = { version = "1", features = ["macros", "rt-multi-thread"] }
//! ```
//!
//! # What a guest can do
//!
//! | to | call | more in |
//! |---|---|---|
//! | run a program, with its output at the end or as it comes | [`Guest::command`] | [`guest::process`] |
//! | read and write a file | [`Guest::read`], [`Guest::write`], [`Guest::open`] | [`guest::files`] |
//! | look at files and folders, make and remove them | [`Guest::metadata`], [`Guest::read_dir`], [`Guest::create_dir_all`], [`Guest::remove_file`] | [`guest::fs`] |
//! | copy files and trees | [`Guest::upload`], [`Guest::download`] | [`guest::copy`] |
//! | take a snapshot with the filesystems at rest | [`Guest::while_frozen`], [`Guest::freeze`] | [`guest::freeze`] |
//! | wait until the guest is ready | [`Ready::connect`](guest::ready::Ready::connect), [`GuestBuilder::connect_ready`], [`Guest::wait_ready`] | [`guest::ready`] |
//! | ask whether it is well | [`Guest::health`] | [`HealthState`](guest::HealthState) |
//! | see what it is | [`Guest::facts`], [`Guest::host_name`], [`Guest::os_info`] | |
//! | shut it down, start it again, put it to sleep | [`Guest::shutdown`], [`Guest::reboot`], [`Guest::suspend_ram`] | [`guest::power`] |
//! | set a password, see who is logged in | [`Guest::set_password`], [`Guest::users`] | [`guest::accounts`] |
//! | let somebody log in over SSH | [`Guest::ssh_keys`] | [`guest::ssh_keys`] |
//! | find its addresses and routes | [`Guest::addresses`], [`Guest::routes`] | [`guest::network`] |
//! | see its disks and how full they are | [`Guest::disk_usage`], [`Guest::filesystems`], [`Guest::disks`] | [`guest::disks`] |
//! | give free blocks back to the host | [`Guest::fstrim`] | [`guest::fstrim`] |
//! | set its clock | [`Guest::sync_time`], [`Guest::clock_offset`] | [`guest::clock`] |
//! | use processors and memory that were plugged in | [`Guest::set_online_vcpus`], [`Guest::set_memory_blocks`] | [`guest::hotplug`] |
//! | give all of that one deadline | [`Guest::within`], [`GuestBuilder::within`] | |
//! | run any other command | [`Guest::execute`] | [`commands`] |
//! | do any of that with many guests | [`Fleet`] | [`fleet`] |
//!
//! Whole programs for common tasks are on the page of [`recipes`].
//!
//! # The commands alone
//!
//! [`commands`] has a module for each domain, and a command in it is a struct that is named as on the wire, without `guest-`.
//! What it needs goes to `new`, and there is a method for each thing that may be left out. A [`Guest`] runs it, and so does
//! a [`Client`](qga_core::Client):
//!
//! ```
//! use qga_commands::Guest;
//! use qga_commands::commands::{exec, net};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), qga_commands::GuestError> {
//! # let agent = qga_testserver::TestAgent::start().await;
//! # agent.program("uname").exit(0);
//! # let address = agent.address();
//! let guest = Guest::connect(address).await?;
//! let uname = exec::Exec::new("uname").arg(["-r"]).capture_output(true);
//! let process = guest.execute(uname).await?;
//! println!("it is process {}", process.pid);
//! for interface in guest.execute(net::NetworkGetInterfaces).await? {
//!     println!("{}", interface.name);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Replies of agents from QEMU 7.2 on decode. What a later agent adds is passed over: members of
//! objects are ignored, and enums and unions keep what they do not know, as it was written, as
//! `Unknown`.

// Where the other crates' pages find this one's if they are rendered without it; nothing else tells rustdoc.
#![doc(html_root_url = "https://docs.rs/qga-commands/latest")]

mod address;
mod backoff;
mod bytes;
pub mod capabilities;
/// Each command of the agent as it is on the wire, and the types of its arguments and its reply.
///
/// What people do with them in several steps is in [`guest`], behind a [`Guest`].
pub mod commands;
pub mod fleet;
pub mod guest;
mod guest_time;
mod incarnation;
mod limits;
mod optional;
pub mod policy;
pub mod recipes {
    #![doc = include_str!("recipes.md")]
}
pub mod schema;
mod secret;
mod table;
mod usable;

pub use address::{GuestIp, MacAddress, ParseAddressError};
pub use bytes::Bytes;
pub use capabilities::{Capabilities, ClientExt};
pub use fleet::Fleet;
pub use guest::{Guest, GuestBuilder, GuestError};
pub use guest_time::{GuestTime, TimeError};
pub use secret::Secret;
pub use usable::{Usable, UsableAddress};
