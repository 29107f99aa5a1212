//! Asking all guests of a fleet.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_core::Stream;
use tokio::task::coop;
use tokio::time::Instant;

use super::member::Member;
use super::slots::Slots;
use super::{Fleet, FleetError, Summary};
use crate::client::{Alarm, Client};
use crate::error::{Error, ErrorKind, Execution, Stage};
use crate::terms::later;

/// How long work may go on after its time, so that the error of the command that was cut off comes back.
const GRACE: Duration = Duration::from_millis(100);

/// What came of one guest.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct GuestResult<T, E = Error> {
    /// The guest's name; its address, if it was given none.
    pub name: Arc<str>,
    /// Its place among the guests of the fleet, from 0 on.
    pub index: usize,
    /// What the work returned, or why there is nothing.
    pub result: Result<T, E>,
    /// How long the guest took, from the beginning of connecting to the end of the work.
    pub took: Duration,
}

/// Asks all guests of a fleet, while it is polled; made by [`Fleet::run`].
///
/// [`next`](Self::next) returns the results in the order in which they arrive. It is a
/// `futures_core::Stream` of them, too.
///
/// Drop it to end all that is under way. A command that was cut off so may have run, as after the drop of any
/// [command's](Client::execute) future.
///
/// It may be handed to another task. To another runtime it may be handed as any future of tokio: while a guest is
/// being asked, the old runtime must go on.
///
/// # Panics
///
/// Outside a tokio runtime with I/O and time enabled. A panic of the work is one of `next`, after which the run can
/// go on without that guest.
#[must_use = "nobody is asked until results are taken"]
pub struct Run<'a, T, E = Error> {
    members: Arc<[Member]>,
    begun: usize,
    begin: Begin<'a, T, E>,
    concurrency: usize,
    per_guest: Duration,
    stop_after: usize,
    visits: Slots<Visit<'a, T, E>>,
    alarm: Alarm,
    /// When the first of those that are being asked has had its time, or earlier.
    first_end: Option<std::time::Instant>,
    summary: Summary,
}

type Work<'a, T, E> = Pin<Box<dyn Future<Output = Result<T, E>> + Send + 'a>>;

/// Begins the work on a guest, which has to end by then.
type Begin<'a, T, E> = Box<dyn Fn(&Member, Instant) -> Work<'a, T, E> + Send + 'a>;

/// Which guest is done, when it was begun, and what came of it.
type Done<T, E> = (usize, Instant, Result<T, E>);

/// A guest that is being asked.
struct Visit<'a, T, E> {
    index: usize,
    start: Instant,
    work: Work<'a, T, E>,
}

impl<'a, T, E: FleetError> Run<'a, T, E> {
    pub(super) fn new<W, F>(fleet: &Fleet, work: W) -> Self
    where
        W: Fn(Client) -> F + Send + Sync + 'a,
        F: Future<Output = Result<T, E>> + Send + 'a,
    {
        let (builder, work) = (fleet.builder.clone(), Arc::new(work));
        let begin = move |member: &Member, end: Instant| -> Work<'a, T, E> {
            let access = member.access.clone();
            let (builder, work) = (builder.clone(), Arc::clone(&work));
            Box::pin(async move {
                let client = access.client(builder, end.into_std()).await?;
                work(client).await
            })
        };
        Self {
            members: Arc::clone(&fleet.members),
            begun: 0,
            begin: Box::new(begin),
            concurrency: fleet.concurrency,
            per_guest: fleet.per_guest,
            stop_after: fleet.stop_after,
            visits: Slots::new(),
            alarm: Alarm::default(),
            first_end: None,
            summary: Summary::new(fleet.len()),
        }
    }

    /// The result of the guest that is done next; `None` after the last.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing: call `next` again. Between two calls nothing goes on, but the time of the
    /// guests that were begun passes. So leave what takes long to other tasks.
    pub async fn next(&mut self) -> Option<GuestResult<T, E>> {
        poll_fn(|cx| self.poll_result(cx)).await
    }

    /// How it has gone so far.
    #[must_use]
    pub fn summary(&self) -> Summary {
        self.summary.clone()
    }

    fn poll_result(&mut self, cx: &mut Context<'_>) -> Poll<Option<GuestResult<T, E>>> {
        // Guests that need not be waited for should not keep the task from giving way.
        let budget = ready!(coop::poll_proceed(cx));
        self.begin_more();
        if self.visits.len() == 0 {
            return Poll::Ready(None);
        }
        let done = match self.visits.poll_next(cx) {
            Poll::Ready(done) => done,
            Poll::Pending => ready!(self.poll_overdue(cx)),
        };
        budget.made_progress();
        Poll::Ready(self.settle(done))
    }

    /// Begins guests until as many are being asked as may be.
    fn begin_more(&mut self) {
        while self.visits.len() < self.concurrency && !self.is_stopped() {
            let Some(member) = self.members.get(self.begun) else {
                return;
            };
            let start = Instant::now();
            let end = later(start.into_std(), self.per_guest);
            self.visits.push(Visit {
                index: self.begun,
                start,
                work: (self.begin)(member, end.into()),
            });
            self.begun += 1;
        }
    }

    fn is_stopped(&self) -> bool {
        self.summary.failed_in_all() >= self.stop_after
    }

    /// A guest whose time is over, though its work goes on.
    fn poll_overdue(&mut self, cx: &mut Context<'_>) -> Poll<Done<T, E>> {
        let longest = self.per_guest.saturating_add(GRACE);
        let end_of = |visit: &Visit<'a, T, E>| later(visit.start.into_std(), longest);
        loop {
            // Who is begun later ends later, so this is looked for only when it has come.
            if let Some(end) = self.first_end {
                ready!(self.alarm.poll(end.into(), cx));
                if let Some(visit) = self.visits.take(|visit| end_of(visit) <= end) {
                    let error = self.overdue(visit.index);
                    return Poll::Ready((visit.index, visit.start, Err(error.into())));
                }
            }
            self.first_end = self.visits.futures().map(end_of).min();
            if self.first_end.is_none() {
                return Poll::Pending;
            }
        }
    }

    fn overdue(&self, index: usize) -> Error {
        let kind = ErrorKind::Deadline(self.per_guest);
        let address = self.members.get(index).and_then(Member::address);
        Error::new(Stage::Work, Execution::MaybeRun, kind).with_address(address.as_ref())
    }

    fn settle(&mut self, (index, start, result): Done<T, E>) -> Option<GuestResult<T, E>> {
        let failure = result.as_ref().err().map(FleetError::failure_kind);
        self.summary.count(failure);
        if self.is_stopped() {
            let not_asked = self.members.len() - self.begun;
            self.summary.stopped(not_asked);
        }
        let name = Arc::clone(&self.members.get(index)?.name);
        Some(GuestResult {
            name,
            index,
            result,
            took: start.elapsed(),
        })
    }
}

impl<T, E> Future for Visit<'_, T, E> {
    type Output = Done<T, E>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let result = ready!(self.work.as_mut().poll(cx));
        Poll::Ready((self.index, self.start, result))
    }
}

impl<T, E: FleetError> Stream for Run<'_, T, E> {
    type Item = GuestResult<T, E>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll_result(cx)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.visits.len(), Some(self.summary.outstanding()))
    }
}

impl<T, E> fmt::Debug for Run<'_, T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run")
            .field("summary", &self.summary)
            .finish_non_exhaustive()
    }
}
