//! What a daemon tells of its domains.

use std::future::{pending, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use std::{fmt, io};

use futures_core::Stream;
use tokio::runtime::Handle;
use tokio::sync::broadcast::{self, error::RecvError};
use tokio::task::{JoinSet, yield_now};
use tokio::time::sleep;

use crate::hub::{Heard, Hub};
use crate::pool::Pool;
use crate::wire::event::{News, Told};

/// How long to wait before a daemon that cannot be reached is tried again.
const PAUSE: Duration = Duration::from_secs(1);

/// What a daemon tells of all its domains, from when this was made. [`Daemon::events`](crate::Daemon::events) makes it.
///
/// It is also a `Stream`, which has no end. Up to 1,024 events are kept for a subscriber who is slow. When the connection
/// is lost, or the runtime that drives it has ended, it is opened again, and [`Missed`] says that something may have
/// been missed.
pub struct Events {
    /// Only ever locked by who has all of this.
    waiting: Mutex<Waiting>,
}

type Waiting = Pin<Box<dyn Future<Output = (Result<Heard, Missed>, Source)> + Send>>;

/// From where it is heard.
struct Source {
    pool: Arc<Pool>,
    hub: Arc<Hub>,
    receiver: broadcast::Receiver<Heard>,
    /// How many connections have ended, as far as is told.
    losses: u64,
}

/// Something that has happened to a domain.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Event {
    /// The domain's name.
    pub name: String,
    /// The domain's UUID, in small letters with dashes.
    pub uuid: String,
    /// What has happened.
    pub kind: EventKind,
}

/// What has happened to a domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EventKind {
    /// The daemon has learned of it, or its definition has changed.
    Defined,
    /// The daemon has forgotten it.
    Undefined,
    /// It was started.
    Started,
    /// Its processors were stopped for a while.
    Paused,
    /// Its processors run again.
    Resumed,
    /// The guest shuts down.
    ShuttingDown,
    /// It is off.
    Stopped,
    /// The guest has suspended it to memory.
    Suspended,
    /// The guest has crashed.
    Crashed,
    /// The guest has rebooted, or it was reset. One reboot may be told several times.
    Rebooted,
    /// The guest has opened the port of its agent.
    AgentConnected,
    /// The guest has closed the port of its agent.
    AgentDisconnected,
    /// Something else, by libvirt's numbers: that of the kind of event and that of what has happened.
    Other {
        /// The kind of event: 0 for the domain, 18 for its agent.
        kind: i32,
        /// What has happened.
        event: i32,
    },
}

/// Events were missed: so ask anew what matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Missed {
    /// How many; `None` if the connection to the daemon was lost meanwhile, so that nobody knows.
    pub events: Option<u64>,
}

impl Events {
    pub(crate) async fn of(pool: &Arc<Pool>) -> io::Result<Self> {
        let source = Source::of(pool.clone()).await?;
        Ok(Self {
            waiting: Mutex::new(source.wait()),
        })
    }

    /// The next event.
    ///
    /// # Errors
    ///
    /// [`Missed`] where events were missed. Those after it follow.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, nothing is lost.
    pub async fn next(&mut self) -> Result<Event, Missed> {
        loop {
            match self.heard().await {
                Ok(Heard::Told(told)) => return Ok(Event::of(told)),
                Ok(Heard::Lost(_)) => {}
                Ok(Heard::Again) => return Err(Missed { events: None }),
                Err(missed) => return Err(missed),
            }
        }
    }

    /// What is heard next.
    pub(crate) async fn heard(&mut self) -> Result<Heard, Missed> {
        poll_fn(|cx| self.poll_heard(cx)).await
    }

    /// What was heard already.
    pub(crate) fn heard_by_now(&mut self) -> Option<Result<Heard, Missed>> {
        match self.poll_heard(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(heard) => Some(heard),
            Poll::Pending => None,
        }
    }

    fn poll_heard(&mut self, cx: &mut Context<'_>) -> Poll<Result<Heard, Missed>> {
        let waiting = self.waiting.get_mut();
        let waiting = waiting.unwrap_or_else(PoisonError::into_inner);
        let (heard, source) = match waiting.as_mut().poll(cx) {
            Poll::Ready(done) => done,
            Poll::Pending => return Poll::Pending,
        };
        *waiting = source.wait();
        Poll::Ready(heard)
    }
}

impl Source {
    async fn of(pool: Arc<Pool>) -> io::Result<Self> {
        let (hub, receiver) = pool.hub().await?;
        Ok(Self {
            losses: hub.losses(),
            pool,
            hub,
            receiver,
        })
    }

    fn wait(mut self) -> Waiting {
        Box::pin(async move {
            let heard = self.next().await;
            (heard, self)
        })
    }

    async fn next(&mut self) -> Result<Heard, Missed> {
        match self.receiver.recv().await {
            Ok(heard) => {
                if let Heard::Lost(losses) = heard {
                    self.losses = self.losses.max(losses);
                }
                Ok(heard)
            }
            Err(RecvError::Lagged(count)) => {
                let losses = self.hub.losses();
                let events = (losses == self.losses).then_some(count);
                self.losses = losses;
                Err(Missed { events })
            }
            Err(RecvError::Closed) => {
                self.open_again().await;
                Ok(Heard::Again)
            }
        }
    }

    /// Listens in this runtime, since that which has listened has ended. This one may end as well.
    async fn open_again(&mut self) {
        while Handle::try_current().is_ok() {
            let mut opening = JoinSet::new();
            opening.spawn(Self::open(self.pool.clone()));
            if let Some(Ok(source)) = opening.join_next().await {
                *self = source;
                return;
            }
            yield_now().await;
        }
        pending::<()>().await;
    }

    async fn open(pool: Arc<Pool>) -> Self {
        loop {
            if let Ok(source) = Self::of(pool.clone()).await {
                return source;
            }
            sleep(PAUSE).await;
        }
    }
}

impl Stream for Events {
    type Item = Result<Event, Missed>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            let heard = match self.poll_heard(cx) {
                Poll::Ready(heard) => heard,
                Poll::Pending => return Poll::Pending,
            };
            return Poll::Ready(Some(match heard {
                Ok(Heard::Told(told)) => Ok(Event::of(told)),
                Ok(Heard::Lost(_)) => continue,
                Ok(Heard::Again) => Err(Missed { events: None }),
                Err(missed) => Err(missed),
            }));
        }
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events").finish_non_exhaustive()
    }
}

impl Event {
    fn of(told: Told) -> Self {
        Self {
            name: told.domain.name,
            uuid: told.domain.uuid.to_string(),
            kind: EventKind::of(told.news),
        }
    }
}

impl EventKind {
    pub(crate) fn of(news: News) -> Self {
        match news {
            News::Reboot => Self::Rebooted,
            News::Lifecycle { event: 0, .. } => Self::Defined,
            News::Lifecycle { event: 1, .. } => Self::Undefined,
            News::Lifecycle { event: 2, .. } => Self::Started,
            News::Lifecycle { event: 3, .. } => Self::Paused,
            News::Lifecycle { event: 4, .. } => Self::Resumed,
            News::Lifecycle { event: 5, .. } => Self::Stopped,
            News::Lifecycle { event: 6, .. } => Self::ShuttingDown,
            News::Lifecycle { event: 7, .. } => Self::Suspended,
            News::Lifecycle { event: 8, .. } => Self::Crashed,
            News::Lifecycle { event, .. } => Self::Other { kind: 0, event },
            News::Agent { state: 1 } => Self::AgentConnected,
            News::Agent { state: 2 } => Self::AgentDisconnected,
            News::Agent { state } => Self::Other {
                kind: 18,
                event: state,
            },
        }
    }
}

impl fmt::Display for Missed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.events {
            Some(count) => write!(f, "{count} events were missed"),
            None => f.write_str("the connection to libvirt's daemon was lost, and events with it"),
        }
    }
}

impl std::error::Error for Missed {}
