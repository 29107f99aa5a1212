//! How long the replies may be that bring much at once.

use crate::file::FileRead;

/// What surrounds the data.
const REST: usize = 4 * 1024;

/// The agent keeps 16 MiB of each of two streams, and sends them as base64: 43 MiB.
pub(crate) const EXEC_STATUS: usize = 48 * 1024 * 1024;

/// As much as was asked for, as base64.
pub(crate) fn file_read(command: &FileRead) -> usize {
    let bytes = usize::try_from(command.count.unwrap_or(0)).unwrap_or(0);
    (bytes / 3 + 1).saturating_mul(4).saturating_add(REST)
}
