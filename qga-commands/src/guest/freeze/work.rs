//! Work that is done while filesystems are frozen.

use std::fmt;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::Poll;

use super::{Frozen, Thawed};
use crate::guest::{Guest, GuestError};

/// Work that is to be done while a guest's filesystems are frozen. Await it, or set [what ends it
/// early](Self::until) first. It is made by [`Guest::while_frozen`].
#[must_use = "nothing is frozen until it is awaited"]
pub struct WhileFrozen<'a, W> {
    guest: &'a Guest,
    work: W,
}

/// The outcome of work that could be [ended early](WhileFrozen::until).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "the work may have been ended early"]
pub enum WorkOutcome<T, S> {
    /// The work was done, with this result.
    Finished(T),
    /// The future that ends the work was ready first, with this result. The work was dropped, or never begun.
    Stopped(S),
}

/// What the work returned, and what came of the thaw.
type Done<T> = Result<(T, Result<Thawed, GuestError>), GuestError>;

impl<'a, W, F> WhileFrozen<'a, W>
where
    W: FnOnce() -> F,
    F: Future,
{
    pub(super) fn new(guest: &'a Guest, work: W) -> Self {
        Self { guest, work }
    }

    /// Ends the work early when this future is ready, for example at a signal or after a time. The work is dropped
    /// then, and the guest is thawed. The outcome is [`WorkOutcome::Stopped`].
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let agent = qga_testserver::TestAgent::start().await;
    /// # let guest = qga_commands::Guest::connect(agent.address()).await?;
    /// # async fn take_snapshot() -> std::io::Result<()> { Ok(()) }
    /// use qga_commands::guest::freeze::WorkOutcome;
    /// use std::time::Duration;
    /// use tokio::time::sleep;
    ///
    /// // For signals, see examples/src/bin/snapshot_freeze.rs.
    /// let too_long = sleep(Duration::from_secs(8));
    /// let (outcome, thawed) = guest.while_frozen(take_snapshot).until(too_long).await?;
    /// match outcome {
    ///     WorkOutcome::Finished(snapshot) => snapshot?,
    ///     WorkOutcome::Stopped(()) => eprintln!("the snapshot took too long"),
    /// }
    /// thawed?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// The future is polled before anything is sent, so that it can install its signal handlers. If it is ready at
    /// once, nothing is frozen. If it becomes ready while the agent freezes, the filesystems are thawed as soon as the
    /// freeze is done. The thaw is never ended early.
    ///
    /// # Errors
    ///
    /// As [`Guest::while_frozen`].
    ///
    /// # Cancel safety
    ///
    /// As [`Guest::while_frozen`].
    pub async fn until<S: Future>(self, signal: S) -> Done<WorkOutcome<F::Output, S::Output>> {
        let mut signal = pin!(signal);
        if let Some(stopped) = ready_now(signal.as_mut()).await {
            return Ok((WorkOutcome::Stopped(stopped), Ok(Thawed::of_nothing())));
        }
        let (frozen, stopped) = freeze(self.guest, signal.as_mut()).await?;
        let outcome = match stopped {
            Some(stopped) => WorkOutcome::Stopped(stopped),
            None => first(pin!((self.work)()), signal).await,
        };
        Ok((outcome, frozen.thaw().await))
    }

    async fn run(self) -> Done<F::Output> {
        let frozen = self.guest.freeze().await?;
        let result = (self.work)().await;
        Ok((result, frozen.thaw().await))
    }
}

/// Work that must not leave its thread, and so cannot be awaited as it is, can be with
/// [`until(std::future::pending::<()>())`](WhileFrozen::until).
impl<'a, W, F> IntoFuture for WhileFrozen<'a, W>
where
    W: FnOnce() -> F + Send + 'a,
    F: Future<Output: Send> + Send + 'a,
{
    type Output = Done<F::Output>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send + 'a>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

impl<T, S> WorkOutcome<T, S> {
    /// The work's result, if it was done.
    pub fn finished(self) -> Option<T> {
        match self {
            Self::Finished(result) => Some(result),
            Self::Stopped(_) => None,
        }
    }
}

impl<W> fmt::Debug for WhileFrozen<'_, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WhileFrozen")
            .field("guest", self.guest)
            .finish_non_exhaustive()
    }
}

/// Polls a future once.
async fn ready_now<S: Future>(mut signal: Pin<&mut S>) -> Option<S::Output> {
    poll_fn(|cx| match signal.as_mut().poll(cx) {
        Poll::Ready(ready) => Poll::Ready(Some(ready)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

/// Freezes, and listens for the signal meanwhile. A freeze that is under way is not given up: what it freezes has
/// to be thawed before the program may end.
async fn freeze<S: Future>(
    guest: &Guest,
    mut signal: Pin<&mut S>,
) -> Result<(Frozen, Option<S::Output>), GuestError> {
    let mut freezing = pin!(guest.freeze());
    let mut stopped = None;
    poll_fn(|cx| {
        if stopped.is_none()
            && let Poll::Ready(ready) = signal.as_mut().poll(cx)
        {
            stopped = Some(ready);
        }
        let frozen = std::task::ready!(freezing.as_mut().poll(cx));
        Poll::Ready(frozen.map(|frozen| (frozen, stopped.take())))
    })
    .await
}

/// What is ready first; the work, if both are.
async fn first<F: Future, S: Future>(
    mut work: Pin<&mut F>,
    mut signal: Pin<&mut S>,
) -> WorkOutcome<F::Output, S::Output> {
    poll_fn(|cx| {
        if let Poll::Ready(result) = work.as_mut().poll(cx) {
            return Poll::Ready(WorkOutcome::Finished(result));
        }
        signal.as_mut().poll(cx).map(WorkOutcome::Stopped)
    })
    .await
}
