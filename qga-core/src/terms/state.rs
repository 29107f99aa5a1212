//! What a client's channel does.

use std::sync::Arc;

use crate::error::Error;

/// What a client's channel does; [`Client::state`](crate::Client::state) watches it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChannelState {
    /// A command opens it.
    Connecting,
    /// Nobody uses it. The next command may have to synchronize first, as after a timeout or a future
    /// that was dropped.
    Ready,
    /// A command or a pipeline has it.
    Busy,
    /// It is closed, or was, and no agent has answered since. Where it can be opened again, the next command does
    /// so.
    Lost {
        /// What went wrong last, in words that are safe to show.
        cause: Arc<str>,
    },
}

/// What went wrong and what lies below it, in words.
pub(crate) fn words_of(error: &Error) -> Arc<str> {
    let mut text = error.reason().to_string();
    let mut below = std::error::Error::source(error);
    while let Some(source) = below {
        text = format!("{text}: {source}");
        below = source.source();
    }
    text.into()
}
