//! What happens to a machine, as a stream.

use std::fmt;
use std::future::{Future as _, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use futures_core::Stream;
use serde_json::value::RawValue;
use tokio::time::{Sleep, sleep};

use crate::commands::event::EventKind;
use crate::link::{Heard, Shared};
use crate::ring::Item;
use crate::wire::incoming::RawEvent;

/// How long to wait before a monitor that cannot be reached is tried again; the pause doubles up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(8);

/// What happens to a machine, from when this was made. [`Monitor::events`](crate::Monitor::events) makes it.
///
/// It is also a `Stream`. When the connection is lost, [`Missed`] says so, and whoever waits on opens another one, ever
/// more seldom while there is none. A monitor that was made from a stream has no other: its events end.
///
/// Events from before a connection was opened are not told, so **what matters has to be asked for once the stream is
/// there, and again after each [`Missed`]**: by `query-status` and `query-chardev`, for example.
pub struct Events {
    shared: Arc<Shared>,
    who: u64,
    /// Until when no connection is opened, and how long the pause after the next failure is.
    pause: Option<Pin<Box<Sleep>>>,
    next_pause: Duration,
}

/// Something that has happened to a machine.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Event {
    /// When it happened, by the clock of QEMU's host. For the opening of a port it may be up to a second ago.
    pub at: SystemTime,
    /// What has happened.
    pub kind: EventKind,
    raw: Arc<RawEvent>,
}

/// Events were missed: so ask anew what matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Missed {
    /// How many; `None` if the connection was lost, so that nobody knows.
    pub events: Option<u64>,
}

impl Events {
    pub(crate) fn new(shared: Arc<Shared>, most: usize) -> Self {
        Self {
            who: shared.subscribe(most),
            shared,
            pause: None,
            next_pause: FIRST_PAUSE,
        }
    }

    /// The next event; `None` if there will be none any more.
    ///
    /// # Errors
    ///
    /// [`Missed`] where events were missed. Those after it follow.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, nothing is lost.
    pub async fn next(&mut self) -> Option<Result<Event, Missed>> {
        poll_fn(|cx| self.poll(cx)).await
    }

    /// The next event that is there already.
    #[cfg(feature = "guest")]
    pub(crate) fn by_now(&mut self) -> Option<Result<Event, Missed>> {
        match self.poll(&mut Context::from_waker(std::task::Waker::noop())) {
            Poll::Ready(told) => told,
            Poll::Pending => None,
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Event, Missed>>> {
        loop {
            let is_to_connect = match &mut self.pause {
                Some(pause) => pause.as_mut().poll(cx).is_ready(),
                None => true,
            };
            match self.shared.poll_ring(self.who, is_to_connect, cx) {
                Heard::Item(item) => {
                    self.pause = None;
                    self.next_pause = FIRST_PAUSE;
                    return Poll::Ready(Some(told(&item)));
                }
                Heard::Nothing => return Poll::Pending,
                Heard::End => return Poll::Ready(None),
                Heard::NoConnection if !is_to_connect => return Poll::Pending,
                Heard::NoConnection => {
                    self.pause = Some(Box::pin(sleep(self.next_pause)));
                    self.next_pause = LONGEST_PAUSE.min(self.next_pause * 2);
                }
            }
        }
    }
}

fn told(item: &Item) -> Result<Event, Missed> {
    match item {
        Item::Event(event) => Ok(Event::of(event)),
        Item::Missed(count) => Err(Missed {
            events: Some(*count),
        }),
        Item::Lost => Err(Missed { events: None }),
    }
}

impl Event {
    /// What it carries as it came, as JSON: an object; `None` where it carries nothing.
    #[must_use]
    pub fn data(&self) -> Option<&RawValue> {
        self.raw.data.as_deref()
    }

    fn of(raw: &Arc<RawEvent>) -> Self {
        let at = raw.micros.map(Duration::from_micros);
        let at = at.and_then(|time| SystemTime::UNIX_EPOCH.checked_add(time));
        Self {
            at: at.unwrap_or_else(SystemTime::now),
            kind: EventKind::read(raw),
            raw: raw.clone(),
        }
    }
}

impl Stream for Events {
    type Item = Result<Event, Missed>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll(cx)
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        self.shared.unsubscribe(self.who);
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events").finish_non_exhaustive()
    }
}

impl fmt::Display for Missed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.events {
            Some(count) => write!(f, "{count} events were missed"),
            None => f.write_str("the connection to the monitor was lost, and events with it"),
        }
    }
}

impl std::error::Error for Missed {}
