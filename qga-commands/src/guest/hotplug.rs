//! Taking processors and memory of a guest online and offline.
//!
//! QEMU plugs processors and memory into the machine, but the guest uses them only once they are online. This works in
//! Linux only.
//!
//! ```no_run
//! # async fn example(guest: qga_commands::Guest) -> Result<(), qga_commands::GuestError> {
//! use qga_commands::commands::memory::GuestMemoryBlock;
//!
//! guest.set_online_vcpus(4).await?;
//!
//! let mut idle = guest.memory_blocks().await?;
//! idle.retain(|block| !block.online);
//! let wanted = idle.iter().map(|block| GuestMemoryBlock::new(block.phys_index, true));
//! for block in guest.set_memory_blocks(wanted).await? {
//!     println!("block {}: {}", block.phys_index, block.response);
//! }
//! # Ok(())
//! # }
//! ```

mod memory;
mod vcpus;

use std::fmt;

use super::{Guest, GuestError};

/// How many processors or blocks are asked for at once, so that each request has time enough, and
/// none is too long for the channel.
const AT_ONCE: usize = 64;

/// So many numbers are named, and the rest counted: a guest may tell of any number.
const NAMED: usize = 8;

/// Numbers for a message, with what is said of them; nothing if there are none.
fn named(what: &str, numbers: impl IntoIterator<Item = impl fmt::Display>) -> String {
    let mut numbers = numbers.into_iter();
    let first: Vec<_> = numbers
        .by_ref()
        .take(NAMED)
        .map(|number| number.to_string())
        .collect();
    match (first.len(), numbers.count()) {
        (0, _) => String::new(),
        (_, 0) => format!("{what} {}", first.join(", ")),
        (_, more) => format!("{what} {} and {more} more", first.join(", ")),
    }
}

/// What went wrong after a part was done.
fn partial(done: usize, of: usize, source: GuestError) -> GuestError {
    match done {
        0 => source,
        _ => GuestError::Partial {
            done,
            of,
            source: Box::new(source),
        },
    }
}
