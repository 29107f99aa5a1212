//! What events and answers say of a machine.

use qga_core::{MachineState, Power};

use crate::commands::block::BlockErrorAction;
use crate::commands::event::EventKind;
use crate::commands::power::ShutdownCause;
use crate::commands::status::RunState;
use crate::port::AgentPort;

/// What an event is to the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    Nothing,
    /// It was changed, or found to be so again.
    News,
    /// It was changed, and what else is has to be asked for.
    Doubt,
}

/// Takes note of an event.
pub(super) fn note(state: &mut MachineState, event: &EventKind, port: Option<&AgentPort>) -> Taken {
    match event {
        EventKind::VserportChange(change) => {
            if port.and_then(|port| port.id.as_ref()) != Some(&change.id) {
                return Taken::Nothing;
            }
            state.port_is_open = Some(change.open);
            Taken::News
        }
        EventKind::Shutdown(shutdown) => {
            state.power = match shutdown.reason {
                ShutdownCause::GuestPanic => Power::Panicked,
                _ => Power::Off,
            };
            state.port_is_open = state.port_is_open.and(Some(false));
            Taken::News
        }
        EventKind::Reset(_) => {
            state.resets = state.resets.saturating_add(1);
            // One that was off, asleep or had panicked may run now or wait to be started.
            state.power = Power::Unknown;
            Taken::Doubt
        }
        EventKind::Stop => match state.power {
            // It was stopped because of that.
            Power::Off | Power::Panicked | Power::Stalled => Taken::Nothing,
            _ => {
                state.power = Power::Paused;
                Taken::Doubt
            }
        },
        EventKind::Resume | EventKind::Wakeup => {
            state.power = Power::Running;
            Taken::News
        }
        EventKind::Suspend => {
            state.power = Power::Suspended;
            Taken::News
        }
        EventKind::GuestPanicked(_) | EventKind::GuestCrashloaded(_) => {
            state.power = Power::Panicked;
            Taken::News
        }
        EventKind::BlockIoError(error) if error.action == BlockErrorAction::Stop => {
            state.power = Power::Stalled;
            Taken::News
        }
        _ => Taken::Nothing,
    }
}

/// Takes note of what QEMU says of the machine when it is asked.
pub(super) fn settle(state: &mut MachineState, status: &RunState) {
    state.power = match status {
        // A guest that has panicked runs on, unless QEMU was told to do something about it.
        RunState::Running if state.power == Power::Panicked => Power::Panicked,
        RunState::Running => Power::Running,
        RunState::Suspended => Power::Suspended,
        RunState::Shutdown => Power::Off,
        RunState::GuestPanicked => Power::Panicked,
        RunState::IoError => Power::Stalled,
        // It runs as soon as it has arrived from elsewhere, unless it was paused there.
        RunState::Inmigrate | RunState::Unknown(_) => Power::Unknown,
        // All the others are states in which its processors stand still.
        _ => Power::Paused,
    };
}

/// Takes note that nobody tells any more. What is off stays so until somebody tells otherwise.
pub(super) fn forget(state: &mut MachineState) {
    if !matches!(state.power, Power::Off | Power::Panicked) {
        state.power = Power::Unknown;
        state.port_is_open = None;
    }
}

#[cfg(test)]
#[path = "state/tests.rs"]
mod tests;
