//! Domains that go where their guests go.

use std::sync::Weak;

use tokio::sync::watch;

use super::State;
use super::domains::{Domain, DomainState, Port};
use super::events::{News, SHUT_DOWN};
use super::line::Line;
use crate::agent::Connector;
use crate::guest::power::{HostView, Power};
use crate::lock::lock;

/// Lets a domain do what the machine of its guest does, for as long as both are there.
pub(super) async fn follow(
    state: Weak<State>,
    uuid: [u8; 16],
    mut views: watch::Receiver<HostView>,
    connector: Connector,
) {
    let mut before = *views.borrow_and_update();
    while views.changed().await.is_ok() {
        let now = *views.borrow_and_update();
        let Some(state) = state.upgrade() else { return };
        if let Ok(domain) = lock(&state.domains).find(|domain| domain.uuid == uuid) {
            state.machine_changed(domain, before, now, &connector);
        }
        before = now;
    }
}

impl State {
    fn machine_changed(
        &self,
        domain: &mut Domain,
        before: HostView,
        now: HostView,
        connector: &Connector,
    ) {
        if before.power == Power::Off && now.power != Power::Off {
            domain.port = Some(Port::new(Line::new(connector.connect())));
        }
        let was_reset = now.resets > before.resets;
        // After a reset it has gone, even if it has come back between two looks.
        if was_reset || !now.port_is_open {
            self.set_port_open(domain, false);
        }
        if was_reset {
            // A real daemon tells of one reboot up to five times.
            self.callbacks.tell(domain, [News::Reboot, News::Reboot]);
        }
        let state = match now.power {
            Power::On | Power::Halted => DomainState::Running,
            Power::Paused => DomainState::Paused,
            Power::Stalled => DomainState::Stalled,
            Power::Panicked => DomainState::Crashed,
            Power::Suspended => DomainState::Suspended,
            Power::Off => DomainState::Off,
        };
        if now.power != before.power {
            self.set_state(domain, state, SHUT_DOWN);
        }
        if now.port_is_open {
            self.set_port_open(domain, true);
        }
    }
}
