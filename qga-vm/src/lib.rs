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

#![allow(
    clippy::indexing_slicing,
    reason = "JSON only: what is not there is null"
)]

mod builder;
mod disk;
mod image;
mod libvirt;
mod monitor;
mod once;
mod saved;
mod shell;
mod vm;

pub use builder::{Channel, VmBuilder};
pub use disk::{DiskSnapshot, Filesystem};
pub use image::Image;
pub use libvirt::{Domain, DomainBuilder, LibvirtHost};
pub use monitor::Monitor;
pub use shell::{Printed, Shell};
pub use vm::Vm;

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Returns what this host lacks to run real machines: programs, a kernel for the guests, the rights to build them.
#[must_use]
pub fn missing() -> Vec<&'static str> {
    let programs = [
        "qemu-system-x86_64",
        "mkfs.vfat",
        "modprobe",
        "python3",
        "sfdisk",
        "qemu-img",
        "qemu-ga",
        "busybox",
        "cpio",
        "lz4",
        "mke2fs",
        "mmdebstrap",
    ];
    let mut missing: Vec<_> = programs
        .into_iter()
        .filter(|name| program(name).is_none())
        .collect();
    if kernels().is_empty() {
        missing.push("a kernel in /boot");
    }
    if !fs::metadata("/proc/self").is_ok_and(|me| me.uid() == 0) {
        missing.push("the rights of root");
    }
    missing
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

/// The kernels of this host, of which the guests get the newest.
fn kernels() -> Vec<String> {
    let files = fs::read_dir("/boot").into_iter().flatten();
    let names = files.filter_map(|file| file.ok()?.file_name().into_string().ok());
    let mut kernels: Vec<_> = names.filter(|name| name.starts_with("vmlinuz-")).collect();
    kernels.sort();
    kernels
}

/// The folder in which guests and their states are kept: `QGA_VM`, or `vm` in the target folder.
fn store() -> PathBuf {
    std::env::var_os("QGA_VM").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/vm"),
        PathBuf::from,
    )
}
