//! What the host tells of a machine while an operation is under way.

use std::future::{pending, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use qga_core::{Client, MachineState, Power};
use tokio::sync::watch;
use tokio::time::sleep;

/// How long news is not heeded after something was looked at.
const SHORTEST_REST: Duration = Duration::from_millis(50);

/// What somebody on the host tells of a machine from now on, if anybody does; by default nobody does.
#[derive(Default)]
pub(crate) struct Machine {
    states: Option<watch::Receiver<MachineState>>,
    before: MachineState,
    has_changed: bool,
}

impl Machine {
    pub(crate) fn of(client: &Client) -> Self {
        let mut states = client.machine();
        let before = states.as_mut().map(|states| *states.borrow_and_update());
        Self {
            states,
            before: before.unwrap_or_default(),
            has_changed: false,
        }
    }

    /// Whether it runs, if that was told since. What was told before may have been late.
    pub(crate) fn power(&mut self) -> Power {
        let now = self.now();
        if self.has_changed {
            now.power
        } else {
            Power::Unknown
        }
    }

    /// Whether it was reset since.
    pub(crate) fn was_reset(&mut self) -> bool {
        self.now().resets > self.before.resets
    }

    /// Waits for the end of a pause, or for news, which a source may have without end.
    pub(crate) async fn rest(&mut self, pause: impl Future<Output = ()>) {
        let (mut pause, mut news) = (pin!(pause), pin!(self.news()));
        poll_fn(|cx| match news.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(()),
            Poll::Pending => pause.as_mut().poll(cx),
        })
        .await;
    }

    fn now(&mut self) -> MachineState {
        let Some(states) = &mut self.states else {
            return self.before;
        };
        // The receiver itself tells no change any more once the source has ended.
        let state = states.borrow_and_update();
        self.has_changed |= state.has_changed();
        *state
    }

    async fn news(&mut self) {
        sleep(SHORTEST_REST).await;
        if let Some(states) = &mut self.states
            && states.changed().await.is_ok()
        {
            self.has_changed = true;
            return;
        }
        pending::<()>().await;
    }
}
