//! Files that the kernel makes up, other ones in each guest.

use std::hash::{BuildHasher, RandomState};

/// What the kernel calls this boot.
pub(crate) const BOOT_ID: &[u8] = b"/proc/sys/kernel/random/boot_id";
/// What the kernel tells of the process that reads it: here, of the agent.
pub(crate) const SELF: &[u8] = b"/proc/self/stat";

fn random() -> u64 {
    RandomState::new().hash_one(())
}

/// The content of [`BOOT_ID`] after another boot.
pub(crate) fn boot_id() -> Vec<u8> {
    let (high, low) = (random(), random());
    let id = format!(
        "{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}\n",
        high >> 32,
        high >> 16 & 0xFFFF,
        high & 0xFFF,
        low >> 52,
        low & 0xFFFF_FFFF_FFFF
    );
    id.into_bytes()
}

/// The content of [`SELF`] for another agent: by when and where it was started.
pub(crate) fn stat() -> Vec<u8> {
    let random = random();
    let (pid, start) = (300 + random % 500, 1000 + random / 500 % 9000);
    let code = 0x5555_0000_0000 + (random >> 40 << 12);
    let stack = 0x7FFC_0000_0000 + (random >> 32 << 4);
    let line = format!(
        "{pid} (qemu-ga) S 1 {pid} {pid} 0 -1 4194560 905 0 0 0 2 1 0 0 20 0 2 0 {start} 83886080 \
         1801 18446744073709551615 {code} {} {stack} 0 0 0 0 4096 17479 0 0 0 17 1 0 0 0 0 0 {} {} \
         {} {} {} {} {} 0\n",
        code + 0x6_1000,
        code + 0x7_2000,
        code + 0x7_9000,
        code + 0x10_0000,
        stack + 0x800,
        stack + 0x840,
        stack + 0x840,
        stack + 0xFE0,
    );
    line.into_bytes()
}
