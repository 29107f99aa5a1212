//! What a client's channel does, for those who want to watch it.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use tokio::sync::OwnedMutexGuard;

use crate::Error;
use crate::channel::Channel;

/// What a client's channel does; [`Client::state`](crate::Client::state) watches it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChannelState {
    /// It was lost, and a command opens it again.
    Connecting,
    /// Nobody uses it. The next command may have to synchronize first, as after a timeout or a future
    /// that was dropped.
    Ready,
    /// A command or a pipeline has it.
    Busy,
    /// It is closed. Where it can be opened again, the next command does so.
    Lost {
        /// What went wrong last, in words that are safe to show.
        cause: Arc<str>,
    },
}

/// The channel in somebody's hands. However it is laid down, by the end of a command or by the drop
/// of its future, the state is right again.
pub(crate) struct InUse(OwnedMutexGuard<Channel>);

impl InUse {
    pub(crate) fn new(mut channel: OwnedMutexGuard<Channel>) -> Self {
        channel.take_up();
        Self(channel)
    }
}

impl Drop for InUse {
    fn drop(&mut self) {
        self.0.lay_down();
    }
}

impl Deref for InUse {
    type Target = Channel;

    fn deref(&self) -> &Channel {
        &self.0
    }
}

impl DerefMut for InUse {
    fn deref_mut(&mut self) -> &mut Channel {
        &mut self.0
    }
}

/// An error and what lies below it, in words.
pub(crate) fn cause(error: &Error) -> Arc<str> {
    let mut text = error.to_string();
    let mut below = std::error::Error::source(error);
    while let Some(source) = below {
        text = format!("{text}: {source}");
        below = source.source();
    }
    text.into()
}
