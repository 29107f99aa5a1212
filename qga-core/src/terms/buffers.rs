//! Buffers that idle channels do not need.

use std::cell::Cell;
use std::hash::{BuildHasher, RandomState};

use crate::protocol::Random;

/// A larger one, in bytes, is not kept.
const LARGEST: usize = 4 * 1024 * 1024;

thread_local! {
    static SPARE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
    static SPARE_LINE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// A buffer of this thread's, or an empty one.
pub(crate) fn take() -> Vec<u8> {
    SPARE.try_with(Cell::take).unwrap_or_default()
}

/// Keeps a buffer for the next who needs one in this thread.
pub(crate) fn give_back(buffer: Vec<u8>) {
    if buffer.capacity() <= LARGEST {
        let _ = SPARE.try_with(|spare| spare.set(buffer));
    }
}

/// An empty buffer for a request.
pub(crate) fn take_line() -> Vec<u8> {
    SPARE_LINE.try_with(Cell::take).unwrap_or_default()
}

/// Keeps the buffer of a request for the next one in this thread.
pub(crate) fn give_back_line(mut buffer: Vec<u8>) {
    if buffer.capacity() <= LARGEST {
        buffer.clear();
        let _ = SPARE_LINE.try_with(|spare| spare.set(buffer));
    }
}

/// Random numbers that nobody outside can guess.
pub(crate) fn random() -> Random {
    Random::from_seed(RandomState::new().hash_one(()))
}
