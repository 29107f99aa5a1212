//! What a client heeds of a machine.

use tokio::sync::watch;

use crate::transport::MachineState;

/// What the channel of a client heeds of a machine: that its agent's port was opened.
#[derive(Debug)]
pub(crate) struct Openings(watch::Receiver<MachineState>);

impl Openings {
    pub(crate) fn new(mut machine: watch::Receiver<MachineState>) -> Self {
        machine.mark_unchanged();
        Self(machine)
    }

    /// Whether the port was opened since this was asked last.
    pub(crate) fn has_come(&mut self) -> bool {
        // The receiver itself tells no change any more once the source has ended.
        let state = self.0.borrow_and_update();
        state.has_changed() && state.port_is_open == Some(true)
    }

    /// Waits for the next one; for ever where nobody tells any more.
    pub(crate) async fn next(&mut self) {
        while self.0.changed().await.is_ok() {
            if self.0.borrow_and_update().port_is_open == Some(true) {
                return;
            }
        }
        std::future::pending::<()>().await;
    }
}
