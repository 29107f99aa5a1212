//! What must hold for any bytes. Each function here is a fuzz target: it panics where something does not hold.

mod bytes;
mod client;
mod schema;
#[path = "../../qga-commands/tests/it/common/types.rs"]
#[allow(dead_code, reason = "shared with the tests of qga-commands")]
mod types;
mod wire;

pub use bytes::{addresses, responses};
pub use client::client;
pub use qga_core::__fuzz::{frames, replies};
pub use qga_core::discover::fuzz::command_line;
pub use qga_libvirt::__fuzz::packets as libvirt_packets;
pub use qga_qmp::__fuzz::monitor;
pub use schema::schema;
pub use wire::testserver;

/// A fuzz target.
pub type Target = fn(&[u8]);

/// All targets, by name.
pub const TARGETS: &[(&str, Target)] = &[
    ("addresses", addresses),
    ("client", client),
    ("command_line", command_line),
    ("frames", frames),
    ("libvirt_packets", libvirt_packets),
    ("monitor", monitor),
    ("replies", replies),
    ("responses", responses),
    ("schema", schema),
    ("testserver", testserver),
];

/// Runs a target over the files that are named on the command line.
///
/// # Errors
///
/// When one cannot be read.
pub fn replay(target: Target) -> std::io::Result<()> {
    for path in std::env::args_os().skip(1) {
        target(&std::fs::read(path)?);
    }
    Ok(())
}

/// Runs a future where time stands still but for what is waited for.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    thread_local! {
        static RUNTIME: tokio::runtime::Runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .expect("a runtime");
    }
    RUNTIME.with(|runtime| runtime.block_on(future))
}
