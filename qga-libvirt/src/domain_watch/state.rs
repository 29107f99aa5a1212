//! What the daemon's numbers and events say of a machine.

use qga_core::{MachineState, Power};

use crate::events::EventKind;
use crate::wire::event::News;

/// The detail of a domain's stop that says that its guest had crashed.
const AFTER_A_CRASH: i32 = 2;
/// The detail that says that it runs on another host now.
const MIGRATED: i32 = 3;
/// The reason for the state of being off that says the same.
const OFF_SINCE_MIGRATED: i32 = 4;

/// The reason for the state of being paused that says that the host could not read or write for the machine.
const PAUSED_BY_AN_IO_ERROR: i32 = 5;
/// The detail of a domain's pause that says the same.
const IO_ERROR: i32 = 2;

/// What the numbers of a state and of the reason for it say.
pub(crate) fn power(state: i32, reason: i32) -> Power {
    match (state, reason) {
        // One that is blocked, and one that shuts down, run too.
        (1 | 2 | 4, _) => Power::Running,
        (3, PAUSED_BY_AN_IO_ERROR) => Power::Stalled,
        (3, _) => Power::Paused,
        (5, OFF_SINCE_MIGRATED) => Power::Unknown,
        (5, _) => Power::Off,
        (6, _) => Power::Panicked,
        (7, _) => Power::Suspended,
        _ => Power::Unknown,
    }
}

/// Takes note of what was told of the machine. Returns whether that is something.
pub(super) fn note(state: &mut MachineState, news: News) -> bool {
    match EventKind::of(news) {
        EventKind::Started | EventKind::Resumed => state.power = Power::Running,
        EventKind::Paused => {
            state.power = match news {
                News::Lifecycle { detail, .. } if detail == IO_ERROR => Power::Stalled,
                _ => Power::Paused,
            };
        }
        EventKind::Suspended => state.power = Power::Suspended,
        EventKind::Crashed => state.power = Power::Panicked,
        EventKind::Stopped => {
            state.power = match news {
                News::Lifecycle { detail, .. } if detail == AFTER_A_CRASH => Power::Panicked,
                News::Lifecycle { detail, .. } if detail == MIGRATED => Power::Unknown,
                _ => Power::Off,
            };
            state.port_is_open = state.port_is_open.and(Some(false));
        }
        EventKind::Rebooted => state.resets = state.resets.saturating_add(1),
        EventKind::AgentConnected => state.port_is_open = Some(true),
        EventKind::AgentDisconnected => state.port_is_open = Some(false),
        EventKind::Defined
        | EventKind::Undefined
        | EventKind::ShuttingDown
        | EventKind::Other { .. } => return false,
    }
    true
}

/// Takes note that nobody tells any more.
pub(super) fn forget(state: &mut MachineState) {
    state.power = Power::Unknown;
    state.port_is_open = None;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lifecycle(event: i32, detail: i32) -> News {
        News::Lifecycle { event, detail }
    }

    fn after(news: &[News]) -> (Power, Option<bool>, u64) {
        let mut state = MachineState::new();
        state.port_is_open = Some(true);
        for news in news {
            note(&mut state, *news);
        }
        (state.power, state.port_is_open, state.resets)
    }

    #[test]
    fn whatever_a_host_does_with_a_machine_its_state_is_the_true_one_at_the_end() {
        let (came, went) = (News::Agent { state: 1 }, News::Agent { state: 2 });
        let start = [went, lifecycle(4, 0), lifecycle(2, 0)];
        for (what, news, expected) in [
            (
                "start",
                &[&start[..], &[came]].concat()[..],
                (Power::Running, Some(true), 0),
            ),
            (
                "start paused",
                &[went, lifecycle(2, 0), lifecycle(3, 0)],
                (Power::Paused, Some(false), 0),
            ),
            (
                "reboot told thrice",
                &[went, News::Reboot, News::Reboot, News::Reboot, came],
                (Power::Unknown, Some(true), 3),
            ),
            (
                "power off",
                &[went, lifecycle(6, 1), lifecycle(5, 0)],
                (Power::Off, Some(false), 0),
            ),
            (
                "destroy",
                &[lifecycle(6, 2), lifecycle(5, 1)],
                (Power::Off, Some(false), 0),
            ),
            (
                "QEMU killed",
                &[lifecycle(5, 5)],
                (Power::Off, Some(false), 0),
            ),
            (
                "save",
                &[lifecycle(3, 0), lifecycle(5, 4)],
                (Power::Off, Some(false), 0),
            ),
            (
                "restore",
                &[lifecycle(2, 3), lifecycle(4, 0)],
                (Power::Running, Some(true), 0),
            ),
            (
                "migration to another host",
                &[lifecycle(3, 1), lifecycle(5, 3)],
                (Power::Unknown, Some(false), 0),
            ),
            (
                "crash",
                &[lifecycle(8, 0), lifecycle(5, 2)],
                (Power::Panicked, Some(false), 0),
            ),
            (
                "suspend and wake",
                &[lifecycle(7, 0), lifecycle(2, 4)],
                (Power::Running, Some(true), 0),
            ),
            (
                "a full disk of the host",
                &[lifecycle(3, 0), lifecycle(4, 0), lifecycle(3, 2)],
                (Power::Stalled, Some(true), 0),
            ),
            (
                "undefine while it runs",
                &[lifecycle(2, 0), lifecycle(1, 0)],
                (Power::Running, Some(true), 0),
            ),
            (
                "what nobody knows yet",
                &[lifecycle(2, 0), lifecycle(99, 1), News::Agent { state: 7 }],
                (Power::Running, Some(true), 0),
            ),
        ] {
            assert_eq!(after(news), expected, "{what}");
        }
    }

    #[test]
    fn a_state_is_known_by_its_number_and_one_that_has_moved_away_is_not() {
        for (state, reason, expected) in [
            (0, 0, Power::Unknown),
            (1, 1, Power::Running),
            (2, 0, Power::Running),
            (3, 1, Power::Paused),
            (3, 5, Power::Stalled),
            (4, 1, Power::Running),
            (5, 1, Power::Off),
            (5, 4, Power::Unknown),
            (6, 0, Power::Panicked),
            (7, 0, Power::Suspended),
            (8, 0, Power::Unknown),
            (-1, -1, Power::Unknown),
        ] {
            assert_eq!(power(state, reason), expected, "{state}/{reason}");
        }
    }
}
