use super::*;
use crate::wire::incoming::{Incoming, RawEvent};

fn event(name: &str, data: &str) -> EventKind {
    let json = format!(r#"{{"event": "{name}", "data": {data}}}"#);
    let Ok(Incoming::Event(event)) = Incoming::read(json.as_bytes()) else {
        panic!("no event: {json}");
    };
    let event: RawEvent = event;
    let kind = EventKind::read(&event);
    assert!(!matches!(kind, EventKind::Unknown(_)), "{json}");
    kind
}

fn port() -> AgentPort {
    AgentPort {
        id: Some("qga".into()),
        chardev: "qga0".into(),
    }
}

fn vserport(open: bool) -> EventKind {
    event(
        "VSERPORT_CHANGE",
        &format!(r#"{{"id": "qga", "open": {open}}}"#),
    )
}

fn shutdown(reason: &str) -> EventKind {
    event(
        "SHUTDOWN",
        &format!(r#"{{"guest": true, "reason": "{reason}"}}"#),
    )
}

fn reset(reason: &str) -> EventKind {
    event(
        "RESET",
        &format!(r#"{{"guest": true, "reason": "{reason}"}}"#),
    )
}

fn plain(name: &str) -> EventKind {
    event(name, "{}")
}

fn panicked(action: &str) -> EventKind {
    event("GUEST_PANICKED", &format!(r#"{{"action": "{action}"}}"#))
}

/// The state after some events, where QEMU is asked after each that leaves a doubt and says `status`.
fn after(events: &[EventKind], status: &RunState) -> (Power, Option<bool>, u64) {
    let mut state = MachineState::new();
    (state.power, state.port_is_open) = (Power::Running, Some(true));
    for event in events {
        if note(&mut state, event, Some(&port())) == Taken::Doubt {
            settle(&mut state, status);
        }
    }
    (state.power, state.port_is_open, state.resets)
}

type Case = (
    &'static str,
    Vec<EventKind>,
    RunState,
    (Power, Option<bool>, u64),
);

#[track_caller]
fn check(cases: impl IntoIterator<Item = Case>) {
    for (what, events, status, expected) in cases {
        assert_eq!(after(&events, &status), expected, "{what}");
    }
}

#[test]
fn whatever_a_guest_does_its_machines_state_is_the_true_one_at_the_end() {
    check([
        (
            "shutdown",
            vec![vserport(false), shutdown("guest-shutdown")],
            RunState::Shutdown,
            (Power::Off, Some(false), 0),
        ),
        (
            "shutdown with -no-shutdown",
            vec![vserport(false), shutdown("guest-shutdown"), plain("STOP")],
            RunState::Shutdown,
            (Power::Off, Some(false), 0),
        ),
        (
            "reboot told thrice",
            vec![
                vserport(false),
                reset("guest-reset"),
                reset("guest-reset"),
                reset("guest-reset"),
                vserport(true),
            ],
            RunState::Running,
            (Power::Running, Some(true), 3),
        ),
        (
            "suspend",
            vec![vserport(false), plain("SUSPEND")],
            RunState::Suspended,
            (Power::Suspended, Some(false), 0),
        ),
        (
            "suspend and wake up",
            vec![
                vserport(false),
                plain("SUSPEND"),
                plain("WAKEUP"),
                vserport(true),
            ],
            RunState::Running,
            (Power::Running, Some(true), 0),
        ),
        (
            "reset while suspended",
            vec![
                vserport(false),
                plain("SUSPEND"),
                reset("host-qmp-system-reset"),
            ],
            RunState::Prelaunch,
            (Power::Paused, Some(false), 1),
        ),
    ]);
}

#[test]
fn whatever_goes_wrong_or_is_done_to_a_machine_its_state_is_the_true_one_at_the_end() {
    let io_error = event(
        "BLOCK_IO_ERROR",
        r#"{"device": "", "operation": "write", "action": "stop", "nospace": true, "reason": "No space"}"#,
    );
    check([
        (
            "stop while suspended",
            vec![plain("SUSPEND"), plain("STOP")],
            RunState::Paused,
            (Power::Paused, Some(true), 0),
        ),
        (
            "stop and cont",
            vec![plain("STOP"), plain("RESUME")],
            RunState::Paused,
            (Power::Running, Some(true), 0),
        ),
        (
            "panic, poweroff",
            vec![panicked("poweroff"), shutdown("guest-panic")],
            RunState::Running,
            (Power::Panicked, Some(false), 0),
        ),
        (
            "panic, pause",
            vec![panicked("pause"), plain("STOP")],
            RunState::GuestPanicked,
            (Power::Panicked, Some(true), 0),
        ),
        (
            "panic, run on",
            vec![panicked("run")],
            RunState::Running,
            (Power::Panicked, Some(true), 0),
        ),
        (
            "panic, run on and reboot",
            vec![panicked("run"), reset("guest-reset")],
            RunState::Running,
            (Power::Running, Some(true), 1),
        ),
        (
            "disk full",
            vec![io_error.clone(), plain("STOP")],
            RunState::IoError,
            (Power::Stalled, Some(true), 0),
        ),
        (
            "disk full, and there is room again",
            vec![io_error, plain("STOP"), plain("RESUME")],
            RunState::IoError,
            (Power::Running, Some(true), 0),
        ),
        (
            "hibernation",
            vec![
                vserport(false),
                plain("SUSPEND_DISK"),
                shutdown("guest-shutdown"),
            ],
            RunState::Running,
            (Power::Off, Some(false), 0),
        ),
        (
            "power button",
            vec![plain("POWERDOWN")],
            RunState::Running,
            (Power::Running, Some(true), 0),
        ),
        (
            "another port",
            vec![event(
                "VSERPORT_CHANGE",
                r#"{"id": "other", "open": false}"#,
            )],
            RunState::Running,
            (Power::Running, Some(true), 0),
        ),
        (
            "saved",
            vec![plain("STOP"), plain("RESUME")],
            RunState::SaveVm,
            (Power::Running, Some(true), 0),
        ),
        (
            "migrated",
            vec![plain("STOP")],
            RunState::Postmigrate,
            (Power::Paused, Some(true), 0),
        ),
    ]);
}

#[test]
fn a_port_that_was_closed_and_opened_within_a_second_is_told_though_nothing_seems_to_have_changed()
{
    let mut state = MachineState::new();
    state.port_is_open = Some(true);
    let taken = note(&mut state, &vserport(true), Some(&port()));
    assert_eq!(taken, Taken::News);
}

#[test]
fn of_what_is_off_nothing_is_forgotten() {
    for (power, after) in [
        (Power::Off, Power::Off),
        (Power::Panicked, Power::Panicked),
        (Power::Running, Power::Unknown),
        (Power::Paused, Power::Unknown),
    ] {
        let mut state = MachineState::new();
        state.power = power;
        forget(&mut state);
        assert_eq!(state.power, after);
    }
}

#[test]
fn a_machine_that_arrives_from_elsewhere_is_not_taken_for_a_paused_one() {
    let mut state = MachineState::new();
    settle(&mut state, &RunState::Inmigrate);
    assert!(!state.power.is_stopped(), "{state:?}");
    note(&mut state, &plain("RESUME"), None);
    assert_eq!(state.power, Power::Running);
    for status in [
        RunState::Postmigrate,
        RunState::FinishMigrate,
        RunState::Prelaunch,
    ] {
        settle(&mut state, &status);
        assert_eq!(state.power, Power::Paused, "{status}");
    }
}
