//! The connection that all handles of a monitor share. It has no task: whoever waits polls it, for all.

use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use qga_core::parts::ByteStream;
use qga_core::{Error, Stage};
use serde_json::value::RawValue;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::failure::{Cause, Step};
use crate::later::later;
use crate::ring::Ring;
use crate::wakers::Wakers;
use crate::wire::incoming::Version;
use crate::wire::limits::Limits;
use crate::wire::session::{Band, Progress, Session};

mod drive;

/// A stream that is being opened.
pub(crate) type Opening = Pin<Box<dyn Future<Output = Result<ByteStream, Error>> + Send>>;

/// How the connection is opened, each time anew.
pub(crate) type Opener = Arc<dyn Fn() -> Opening + Send + Sync>;

/// Makes a request with the id that it is to carry.
type MakeRequest<'a> = &'a dyn Fn(u64) -> Vec<u8>;

/// What all handles of a monitor share.
pub(crate) struct Shared {
    link: Mutex<Link>,
    wakers: Arc<Wakers>,
    pub(crate) address: Option<Arc<str>>,
}

/// The connection, and those who wait for something of it.
pub(crate) struct Link {
    state: State,
    opener: Option<Opener>,
    limits: Limits,
    connect_timeout: Duration,
    version: Option<Version>,
    /// Why the last connection has ended.
    last: Option<Cause>,
    /// The number of the one who waits next.
    next: u64,
    /// What is to be sent once there is a connection.
    pending: VecDeque<(u64, Band, Vec<u8>)>,
    /// Those who wait for a reply, or for the connection alone.
    calls: HashMap<u64, Call>,
    rings: HashMap<u64, Ring>,
    wakers: Arc<Wakers>,
}

enum State {
    Closed,
    /// Until then; one that is open already has no such time.
    Opening(Opening, Option<Alarm>),
    Open(Box<Open>),
}

struct Open {
    stream: ByteStream,
    session: Session,
    /// Until when the monitor must have consented to begin.
    negotiation: Option<Alarm>,
    needs_flush: bool,
}

struct Alarm(Pin<Box<Sleep>>);

#[derive(Debug)]
enum Call {
    Waiting { is_request: bool },
    Done(Outcome),
}

/// What became of a call: the value that was returned, unless it was for the connection alone.
pub(crate) type Outcome = Result<Option<Box<RawValue>>, (Cause, Progress)>;

impl Shared {
    pub(crate) fn new(
        opener: Option<Opener>,
        stream: Option<ByteStream>,
        address: Option<Arc<str>>,
        limits: Limits,
        connect_timeout: Duration,
    ) -> Self {
        let wakers = Arc::new(Wakers::default());
        // An open stream is one that is opened at once, so that its handshake has its time from when it is used.
        let state = stream.map_or(State::Closed, |stream| {
            State::Opening(Box::pin(async { Ok(stream) }), None)
        });
        let link = Link {
            state,
            opener,
            limits,
            connect_timeout,
            version: None,
            last: None,
            next: 1,
            pending: VecDeque::new(),
            calls: HashMap::new(),
            rings: HashMap::new(),
            wakers: wakers.clone(),
        };
        Self {
            link: Mutex::new(link),
            wakers,
            address,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Link> {
        self.link.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the monitor said of its version, if it has greeted.
    pub(crate) fn version(&self) -> Option<Version> {
        self.lock().version.clone()
    }

    /// Whether there is nothing that opens another connection.
    pub(crate) fn is_single(&self) -> bool {
        self.lock().opener.is_none()
    }

    /// Begins to wait for a reply, or for the connection alone where there is no request. The request is made of the id
    /// that it is to carry.
    pub(crate) fn begin(self: &Arc<Self>, request: Option<(Band, MakeRequest<'_>)>) -> Waiting {
        let waker = Waker::from(self.wakers.clone());
        let mut link = self.lock();
        // A connection that has ended while nobody looked is known to have run nothing of this.
        link.drive(&mut Context::from_waker(&waker));
        let id = link.number();
        let is_request = request.is_some();
        link.calls.insert(id, Call::Waiting { is_request });
        if let Some((band, request)) = request {
            link.pending.push_back((id, band, request(id)));
        }
        drop(link);
        Waiting {
            shared: self.clone(),
            id,
        }
    }

    /// Begins to keep events for somebody, so many at most.
    pub(crate) fn subscribe(&self, most: usize) -> u64 {
        let mut link = self.lock();
        let who = link.number();
        link.rings.insert(who, Ring::new(most));
        who
    }

    pub(crate) fn unsubscribe(&self, who: u64) {
        let ring = self.lock().rings.remove(&who);
        drop(ring);
        self.wakers.remove(who);
    }

    /// What was kept for a subscriber, if something was; reads on for all meanwhile. `wants_connection` opens one where
    /// there is none.
    pub(crate) fn poll_ring(
        &self,
        who: u64,
        wants_connection: bool,
        cx: &mut Context<'_>,
    ) -> Heard {
        self.wakers.set(who, cx.waker());
        let waker = Waker::from(self.wakers.clone());
        let mut link = self.lock();
        for is_last in [false, true] {
            if let Some(item) = link.rings.get_mut(&who).and_then(Ring::take) {
                return Heard::Item(item);
            }
            if !is_last {
                if wants_connection && link.is_closed() {
                    link.open();
                }
                link.drive(&mut Context::from_waker(&waker));
            }
        }
        match (link.is_closed(), link.opener.is_some()) {
            (false, _) => Heard::Nothing,
            (true, true) => Heard::NoConnection,
            (true, false) => Heard::End,
        }
    }
}

/// What a subscriber hears.
pub(crate) enum Heard {
    Item(crate::ring::Item),
    Nothing,
    /// There is no connection now.
    NoConnection,
    /// There will be none any more.
    End,
}

/// Somebody who waits for a reply, or for the connection. If it is dropped, nobody does.
pub(crate) struct Waiting {
    shared: Arc<Shared>,
    id: u64,
}

impl Waiting {
    pub(crate) fn poll(&self, cx: &mut Context<'_>) -> Poll<Outcome> {
        self.shared.wakers.set(self.id, cx.waker());
        let waker = Waker::from(self.shared.wakers.clone());
        let mut link = self.shared.lock();
        link.settle(self.id);
        link.drive(&mut Context::from_waker(&waker));
        link.settle(self.id);
        if !matches!(link.calls.get(&self.id), Some(Call::Done(_))) {
            return Poll::Pending;
        }
        match link.calls.remove(&self.id) {
            Some(Call::Done(outcome)) => Poll::Ready(outcome),
            _ => Poll::Pending,
        }
    }

    /// Where the time was spent, and whether the command may have run.
    pub(crate) fn stage(&self) -> (Stage, Progress) {
        let link = self.shared.lock();
        match &link.state {
            State::Closed | State::Opening(..) => (Stage::Connect, Progress::Queued),
            State::Open(open) if !open.session.is_ready() => (Stage::Negotiate, Progress::Queued),
            State::Open(open) => match open.session.progress(self.id) {
                Progress::Queued => (Stage::Queue, Progress::Queued),
                Progress::Writing => (Stage::Send, Progress::Writing),
                Progress::Written => (Stage::Receive, Progress::Written),
            },
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.shared.wakers.remove(self.id);
        let mut link = self.shared.lock();
        if link.calls.remove(&self.id).is_none() {
            return;
        }
        link.pending.retain(|(id, ..)| *id != self.id);
        if let State::Open(open) = &mut link.state {
            open.session.cancel(self.id);
        }
        drop(link);
        // What waits behind it may go on, or needs somebody else who reads.
        self.shared.wakers.wake_all();
    }
}

impl Link {
    fn number(&mut self) -> u64 {
        let number = self.next;
        self.next += 1;
        number
    }

    fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed)
    }

    /// Sees to it that the call can be answered: that there is a connection, or that one is opened.
    fn settle(&mut self, id: u64) {
        let Some(Call::Waiting { is_request }) = self.calls.get(&id) else {
            return;
        };
        let is_request = *is_request;
        match &self.state {
            State::Closed => {
                if !self.open() {
                    let cause = self.last.clone();
                    self.fail(&cause.unwrap_or_else(Cause::of_lost_stream));
                }
            }
            State::Open(open) if open.session.is_ready() && !is_request => {
                self.finish(id, Ok(None));
            }
            State::Open(_) | State::Opening(..) => {}
        }
    }

    /// Begins to open a connection. Returns whether one can be opened.
    fn open(&mut self) -> bool {
        let Some(opener) = &self.opener else {
            return false;
        };
        self.state = State::Opening(opener(), Some(Alarm::after(self.connect_timeout)));
        true
    }

    fn finish(&mut self, id: u64, outcome: Outcome) {
        if let Some(call) = self.calls.get_mut(&id) {
            *call = Call::Done(outcome);
            self.wakers.wake_one(id);
        }
    }

    /// The connection has ended, or could not be opened: tells all who wait.
    fn fail(&mut self, cause: &Cause) {
        let before = std::mem::replace(&mut self.state, State::Closed);
        self.last = Some(cause.clone());
        self.pending.clear();
        let waiting = self.calls.iter();
        let waiting: Vec<u64> = waiting
            .filter(|(_, call)| matches!(call, Call::Waiting { .. }))
            .map(|(id, _)| *id)
            .collect();
        let mut was_heard = false;
        let mut progress_of: Box<dyn FnMut(u64) -> Progress> = Box::new(|_| Progress::Queued);
        if let State::Open(mut open) = before {
            was_heard = open.session.is_ready();
            progress_of = Box::new(move |id| open.session.cancel(id));
        }
        for id in waiting {
            let progress = progress_of(id);
            self.finish(id, Err((cause.clone(), progress)));
        }
        for (who, ring) in &mut self.rings {
            if was_heard {
                ring.lose();
            }
            self.wakers.wake_one(*who);
        }
    }

    fn time_is_up(&self, step: Step) -> Cause {
        Cause::of_slow(step, self.connect_timeout)
    }
}

impl Alarm {
    fn after(time: Duration) -> Self {
        Self(Box::pin(sleep_until(later(Instant::now(), time))))
    }

    /// Whether it rings. A peer that never rests would keep the timer from being polled, so the clock counts too.
    fn rings(&mut self, cx: &mut Context<'_>) -> bool {
        self.0.as_mut().poll(cx).is_ready() || Instant::now() >= self.0.deadline()
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}
