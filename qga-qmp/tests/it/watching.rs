//! What QEMU knows of a machine, for a client of its agent.

use std::time::Duration;

use qga_core::{Client, MachineState, MachineWatch, Power};
use qga_qmp::{Monitor, MonitorWatch};
use serde_json::Value;
use tokio::sync::watch::Receiver;

use crate::peer::{Peer, pair};

/// How a machine is that is played.
#[derive(Clone, Copy)]
struct Played {
    has_id: bool,
    is_open: bool,
    status: &'static str,
}

const RUNNING: Played = Played {
    has_id: true,
    is_open: true,
    status: "running",
};

async fn answer(peer: &mut Peer, request: &Value, machine: Played) {
    let arguments = &request["arguments"];
    let named = arguments["path"] == "/machine/peripheral";
    let value = match request["execute"].as_str().unwrap() {
        "qom-list" if named == machine.has_id => {
            r#"[{"name": "type", "type": "string"}, {"name": "bus", "type": "child<virtio-serial-pci>"},
                {"name": "qga", "type": "child<virtserialport>"}]"#
                .to_owned()
        }
        "qom-list" => "[]".to_owned(),
        "qom-get" if arguments["property"] == "name" => r#""org.qemu.guest_agent.0""#.to_owned(),
        "qom-get" => r#""qga0""#.to_owned(),
        "query-chardev" => format!(
            r#"[{{"label": "mon0", "filename": "unix:x", "frontend-open": true}},
                {{"label": "qga0", "filename": "unix:y", "frontend-open": {}}}]"#,
            machine.is_open
        ),
        "query-status" => format!(
            r#"{{"status": "{}", "running": true, "singlestep": false}}"#,
            machine.status
        ),
        name => panic!("{name}"),
    };
    peer.reply(request, &value).await;
}

/// Answers questions until one was asked for the status, which is the last of a look.
async fn one_look(peer: &mut Peer, machine: Played) {
    loop {
        let request = peer.request().await;
        answer(peer, &request, machine).await;
        if request["execute"] == "query-status" {
            return;
        }
    }
}

async fn watched(machine: Played) -> (Monitor, MonitorWatch, Peer) {
    let (stream, mut peer) = pair();
    let monitor = Monitor::new(stream);
    let serve = async {
        peer.begin().await;
        one_look(&mut peer, machine).await;
    };
    let (watch, ()) = tokio::join!(monitor.machine(), serve);
    (monitor, watch.unwrap(), peer)
}

async fn next(states: &mut Receiver<MachineState>) -> MachineState {
    states.changed().await.unwrap();
    *states.borrow_and_update()
}

#[tokio::test(start_paused = true)]
async fn the_state_is_known_from_the_beginning_and_events_change_it() {
    let (_monitor, watch, mut peer) = watched(RUNNING).await;
    let mut states = watch.watch();
    let state = *states.borrow();
    assert_eq!(
        (state.power, state.port_is_open),
        (Power::Running, Some(true))
    );
    peer.event("VSERPORT_CHANGE", r#"{"id": "qga", "open": false}"#)
        .await;
    assert_eq!(next(&mut states).await.port_is_open, Some(false));
    peer.event("SHUTDOWN", r#"{"guest": true, "reason": "guest-shutdown"}"#)
        .await;
    assert_eq!(next(&mut states).await.power, Power::Off);
}

#[tokio::test(start_paused = true)]
async fn after_a_reset_the_machine_is_asked() {
    let (_monitor, watch, mut peer) = watched(RUNNING).await;
    let mut states = watch.watch();
    peer.event(
        "RESET",
        r#"{"guest": false, "reason": "host-qmp-system-reset"}"#,
    )
    .await;
    let played = Played {
        status: "prelaunch",
        is_open: false,
        ..RUNNING
    };
    let (state, ()) = tokio::join!(next(&mut states), one_look(&mut peer, played));
    assert_eq!(
        (state.power, state.port_is_open, state.resets),
        (Power::Paused, Some(false), 1)
    );
}

#[tokio::test(start_paused = true)]
async fn a_stop_is_told_though_the_machine_is_asked_about_it() {
    let (_monitor, watch, mut peer) = watched(RUNNING).await;
    let mut states = watch.watch();
    peer.event("STOP", "{}").await;
    let played = Played {
        status: "paused",
        ..RUNNING
    };
    let (state, ()) = tokio::join!(next(&mut states), one_look(&mut peer, played));
    assert_eq!(state.power, Power::Paused);
}

#[tokio::test(start_paused = true)]
async fn a_port_without_an_id_is_looked_at_now_and_then() {
    let closed = Played {
        has_id: false,
        is_open: false,
        ..RUNNING
    };
    let (_monitor, watch, mut peer) = watched(closed).await;
    let mut states = watch.watch();
    assert_eq!(states.borrow().port_is_open, Some(false));
    let serve = async {
        one_look(&mut peer, closed).await;
        one_look(
            &mut peer,
            Played {
                is_open: true,
                ..closed
            },
        )
        .await;
    };
    let (state, ()) = tokio::join!(next(&mut states), serve);
    assert_eq!(state.port_is_open, Some(true));
}

#[tokio::test(start_paused = true)]
async fn a_port_with_an_id_is_not_asked_for() {
    let (_monitor, _watch, mut peer) = watched(RUNNING).await;
    let asked = tokio::time::timeout(Duration::from_secs(60), peer.next()).await;
    assert!(asked.is_err());
}

#[tokio::test(start_paused = true)]
async fn after_the_end_of_a_stream_nothing_is_known_unless_the_machine_was_off() {
    for (event, expected) in [
        (None, Power::Unknown),
        (
            Some(("SHUTDOWN", r#"{"guest": false, "reason": "host-signal"}"#)),
            Power::Off,
        ),
    ] {
        let (_monitor, watch, mut peer) = watched(RUNNING).await;
        let mut states = watch.watch();
        if let Some((name, data)) = event {
            peer.event(name, data).await;
        }
        drop(peer);
        while states.changed().await.is_ok() {}
        assert_eq!(states.borrow().power, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn the_task_ends_with_those_who_want_to_know() {
    let (monitor, watch, mut peer) = watched(RUNNING).await;
    drop((watch, monitor));
    assert!(peer.next().await.is_none());
}

#[tokio::test]
async fn where_nobody_listens_any_more_the_machine_is_off_and_it_is_found_when_it_is_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("qmp.sock");
    let listener = tokio::net::UnixListener::bind(&path).unwrap();
    let builder = Monitor::builder().connect_timeout(Duration::from_secs(5));
    let monitor = builder.connect_lazy(&*path).unwrap();
    let serve = async |status| {
        let (stream, _) = listener.accept().await.unwrap();
        let (client, mut peer) = pair();
        let relay = tokio::spawn(async move {
            let (mut one, mut other) = (stream, client);
            let _ = tokio::io::copy_bidirectional(&mut one, &mut other).await;
        });
        peer.begin().await;
        one_look(&mut peer, Played { status, ..RUNNING }).await;
        (peer, relay)
    };
    let (watch, (peer, relay)) = tokio::join!(monitor.machine(), serve("running"));
    let mut states = watch.unwrap().watch();
    drop(peer);
    relay.await.unwrap();
    drop(listener);
    while states.borrow_and_update().power != Power::Off {
        states.changed().await.unwrap();
    }
    std::fs::remove_file(&path).unwrap();
    let listener = tokio::net::UnixListener::bind(&path).unwrap();
    let serve = async {
        let (stream, _) = listener.accept().await.unwrap();
        let (client, mut peer) = pair();
        tokio::spawn(async move {
            let (mut one, mut other) = (stream, client);
            let _ = tokio::io::copy_bidirectional(&mut one, &mut other).await;
        });
        peer.begin().await;
        one_look(
            &mut peer,
            Played {
                status: "paused",
                ..RUNNING
            },
        )
        .await;
        peer
    };
    let (_peer, ()) = tokio::join!(serve, async {
        while states.borrow_and_update().power != Power::Paused {
            states.changed().await.unwrap();
        }
    });
}

#[tokio::test(start_paused = true)]
async fn a_client_of_the_agent_is_told_by_a_monitor_that_was_given_to_its_builder() {
    let (stream, mut peer) = pair();
    let monitor = Monitor::new(stream);
    let (_agent, channel) = tokio::io::duplex(64);
    let client = Client::builder().machine(&monitor).build(channel);
    let mut states = client.machine().unwrap();
    let serve = async {
        peer.begin().await;
        one_look(
            &mut peer,
            Played {
                status: "suspended",
                ..RUNNING
            },
        )
        .await;
    };
    let (state, ()) = tokio::join!(next(&mut states), serve);
    assert_eq!(state.power, Power::Suspended);
}
