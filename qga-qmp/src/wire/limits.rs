//! How much a monitor may send.

/// How an object may be built.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// The longest one, in bytes.
    pub(crate) bytes: usize,
    /// How deep it may nest, the object itself counted.
    pub(crate) depth: usize,
    /// How many items a list or an object in it may have.
    pub(crate) items: usize,
}

impl Limits {
    pub(crate) const DEFAULT: Self = Self {
        bytes: 10 * 1024 * 1024,
        depth: 100,
        items: 100_000,
    };
}

/// The longest event that is kept, in bytes. QEMU's own have some hundreds.
pub(crate) const LONGEST_EVENT: usize = 64 * 1024;

/// How many commands of the usual way are on their way at once. With eight that wait, QEMU reads no more, also
/// not what goes out of band.
pub(crate) const IN_BAND_AT_ONCE: usize = 4;

/// The same for commands that go out of band.
pub(crate) const OUT_OF_BAND_AT_ONCE: usize = 4;
