//! Real guests in QEMU, for tests.
//!
//! A [`Vm`] is a machine with an agent in it, and with ways past the agent: a [`Shell`] in the guest, the [`Monitor`] of
//! QEMU, its console and its disks. It ends when it is dropped.
//!
//! ```no_run
//! use qga_vm::{Image, Vm};
//!
//! # async fn example() -> anyhow::Result<()> {
//! let vm = Vm::of(Image::Busybox).start().await?;
//! let agent = vm.address(); // Such as unix:/tmp/.tmpzzKV4H/agent.sock.
//! assert_eq!(vm.shell().run("hostname").await?.text, "busybox-guest\n");
//! vm.monitor().command("stop", None).await?;
//! # drop(agent);
//! # Ok(())
//! # }
//! ```
//!
//! The guests are built from the Debian packages of this host when they are first wanted, and are kept in the target
//! folder; `guests/` says how. They run without KVM, so that they run everywhere.

mod disk;
mod image;
mod monitor;
mod qemu;
mod saved;
mod shell;
mod vm;

pub use disk::{DiskSnapshot, Filesystem};
pub use image::Image;
pub use monitor::Monitor;
pub use qemu::{Channel, VmBuilder};
pub use shell::{Printed, Shell};
pub use vm::Vm;

use std::path::{Path, PathBuf};

/// Returns the programs that are needed and that this host does not have.
#[must_use]
pub fn missing_programs() -> Vec<&'static str> {
    [
        "qemu-system-x86_64",
        "qemu-img",
        "cpio",
        "mke2fs",
        "mmdebstrap",
    ]
    .into_iter()
    .filter(|name| program(name).is_none())
    .collect()
}

/// Finds a program, also one for administrators, whose folders not everybody has in `PATH`.
fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let usual = ["/usr/sbin", "/sbin"].map(PathBuf::from);
    std::env::split_paths(&path)
        .chain(usual)
        .map(|folder| folder.join(name))
        .find(|program| program.is_file())
}

/// The folder in which guests and their states are kept: `QGA_VM`, or `vm` in the target folder.
fn store() -> PathBuf {
    std::env::var_os("QGA_VM").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/vm"),
        PathBuf::from,
    )
}
