//! What a client's channel does, for those who want to watch it.

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedMutexGuard, watch};

use crate::Error;
use crate::channel::Channel;

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

/// The state of a channel, and those who watch it. To tell a `watch` of each command costs a third
/// of what the client itself does for one, so there is none until somebody asks.
pub(crate) struct Status(Mutex<Known>);

struct Known {
    state: ChannelState,
    watched: Option<watch::Sender<ChannelState>>,
}

impl Status {
    pub(crate) fn new(state: ChannelState) -> Self {
        let watched = None;
        Self(Mutex::new(Known { state, watched }))
    }

    pub(crate) fn set(&self, state: ChannelState) {
        let mut known = self.known();
        match &known.watched {
            Some(watched) if watched.receiver_count() > 0 => {
                watched.send_replace(state.clone());
            }
            Some(_) => known.watched = None,
            None => {}
        }
        known.state = state;
    }

    pub(crate) fn watch(&self) -> watch::Receiver<ChannelState> {
        let mut known = self.known();
        let state = known.state.clone();
        let new = || watch::Sender::new(state);
        known.watched.get_or_insert_with(new).subscribe()
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
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

/// What went wrong and what lies below it, in words.
pub(crate) fn cause(error: &Error) -> Arc<str> {
    let mut text = error.reason().to_string();
    let mut below = std::error::Error::source(error);
    while let Some(source) = below {
        text = format!("{text}: {source}");
        below = source.source();
    }
    text.into()
}
