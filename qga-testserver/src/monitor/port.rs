//! Events about the port of the agent, of which there is one a second at most.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::shared::{PortNews, Shared, stamped};
use crate::lock::lock;

/// How long another event waits.
const PAUSE: Duration = Duration::from_secs(1);

impl Shared {
    /// Tells that the guest has opened or closed the port of its agent, if the port has an id.
    pub(super) fn tell_port(self: &Arc<Self>, is_open: bool) {
        let Some(id) = lock(&self.settings).port_id.clone() else {
            return;
        };
        let event = stamped("VSERPORT_CHANGE", json!({"open": is_open, "id": id}));
        let mut port = lock(&self.port);
        if port.is_quiet {
            port.waiting = Some(event);
        } else {
            self.tell_now(&mut port, &event);
        }
    }

    fn tell_now(self: &Arc<Self>, port: &mut PortNews, event: &Value) {
        self.tell(event);
        port.is_quiet = true;
        self.later(PAUSE, |shared| {
            let mut port = lock(&shared.port);
            port.is_quiet = false;
            if let Some(event) = port.waiting.take() {
                shared.tell_now(&mut port, &event);
            }
        });
    }
}
