use std::fmt;
use std::sync::Arc;

/// Something that a program prints.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Data {
    Bytes(Arc<[u8]>),
    /// This many zero bytes.
    Zeros(u64),
}

/// What the agent has kept of a stream.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Output {
    pub(crate) bytes: Vec<u8>,
    /// Whether there was more than the agent keeps.
    pub(crate) truncated: bool,
}

/// How many bytes of a stream the agent keeps. It reads the rest and drops it.
const LIMIT: usize = 16 << 20;

impl Output {
    pub(super) fn take(&mut self, data: &Data) {
        let room = LIMIT - self.bytes.len().min(LIMIT);
        match data {
            Data::Bytes(bytes) => {
                self.bytes.extend(bytes.iter().take(room));
                self.truncated |= bytes.len() > room;
            }
            Data::Zeros(count) => {
                let count = usize::try_from(*count).unwrap_or(usize::MAX);
                self.bytes.resize(self.bytes.len() + count.min(room), 0);
                self.truncated |= count > room;
            }
        }
    }
}

impl fmt::Debug for Data {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Data::Bytes(bytes) => write!(f, "b\"{}\"", bytes.escape_ascii()),
            Data::Zeros(count) => write!(f, "{count} zeros"),
        }
    }
}
