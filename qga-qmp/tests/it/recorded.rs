//! What QEMU 7.2 and 10.0 were recorded to send is understood.

use qga_core::QgaCommand;
use qga_qmp::commands::block::{BlockdevBackup, QueryBlock, Transaction};
use qga_qmp::commands::job::{JobCancel, QueryJobs};
use qga_qmp::commands::object::{QomGet, QomList, QueryChardev, Yank};
use qga_qmp::commands::power::{Cont, Quit, SetAction, Stop};
use qga_qmp::commands::status::{QueryCurrentMachine, QueryStatus, RunState};
use qga_qmp::{EventKind, Monitor, Qmp};
use serde::Deserialize;
use serde_json::{Value, from_value};

use crate::peer::pair;

#[derive(Deserialize)]
struct Recorded {
    kind: String,
    name: String,
    line: String,
}

fn recorded(kind: &str) -> Vec<Recorded> {
    let all = include_str!("transcript/recorded.jsonl").lines();
    let all = all.map(|line| serde_json::from_str::<Recorded>(line).unwrap());
    all.filter(|one| one.kind == kind).collect()
}

#[tokio::test(start_paused = true)]
async fn events_are_known_with_all_that_they_carry() {
    const NOT_TYPED: [&str; 5] = [
        "BLOCK_JOB_CANCELLED",
        "DEVICE_DELETED",
        "DUMP_COMPLETED",
        "MIGRATION",
        "MIGRATION_PASS",
    ];
    let (stream, mut peer) = pair();
    let monitor = Monitor::new(stream);
    let (connected, ()) = tokio::join!(monitor.connected(), peer.begin());
    connected.unwrap();
    let mut events = monitor.events();
    let recorded = recorded("event");
    assert!(recorded.len() > 30);
    for one in recorded {
        peer.send(&one.line).await;
        let event = events.next().await.unwrap().unwrap();
        assert_eq!(event.kind.name(), one.name);
        let is_unknown = matches!(event.kind, EventKind::Unknown(_));
        assert_eq!(is_unknown, NOT_TYPED.contains(&&*one.name), "{}", one.line);
    }
}

#[tokio::test(start_paused = true)]
async fn greetings_are_understood() {
    for one in recorded("greeting") {
        let (stream, mut peer) = pair();
        let monitor = Monitor::new(stream);
        let serve = async {
            peer.send(&one.line).await;
            let request = peer.request().await;
            assert_eq!(request["arguments"]["enable"][0], "oob");
            peer.reply(&request, "{}").await;
        };
        let (connected, ()) = tokio::join!(monitor.connected(), serve);
        connected.unwrap();
        let version = monitor.version().unwrap();
        assert!([7, 10].contains(&version.major), "{version:?}");
    }
}

fn decode<C: QgaCommand<Qmp>>(value: Value) -> C::Response {
    from_value(value).unwrap()
}

#[test]
fn replies_fit_the_types_of_their_commands() {
    let mut states = Vec::new();
    for one in recorded("return") {
        let mut reply: Value = serde_json::from_str(&one.line).unwrap();
        let value = reply["return"].take();
        match one.name.as_str() {
            "query-status" => states.push(decode::<QueryStatus>(value).status),
            "query-chardev" => drop(decode::<QueryChardev>(value)),
            "query-block" => drop(decode::<QueryBlock>(value)),
            "query-jobs" => drop(decode::<QueryJobs>(value)),
            "query-current-machine" => drop(decode::<QueryCurrentMachine>(value)),
            "qom-list" => drop(decode::<QomList>(value)),
            "qom-get" => drop(decode::<QomGet>(value)),
            "set-action" => drop(decode::<SetAction>(value)),
            "stop" => drop(decode::<Stop>(value)),
            "cont" => drop(decode::<Cont>(value)),
            "quit" => drop(decode::<Quit>(value)),
            "transaction" => drop(decode::<Transaction>(value)),
            "blockdev-backup" => drop(decode::<BlockdevBackup>(value)),
            "job-cancel" => drop(decode::<JobCancel>(value)),
            "yank" => drop(decode::<Yank>(value)),
            _ => assert_eq!(value, serde_json::json!({}), "{}", one.name),
        }
    }
    for known in [
        RunState::Running,
        RunState::Paused,
        RunState::Suspended,
        RunState::Shutdown,
        RunState::IoError,
        RunState::GuestPanicked,
        RunState::Prelaunch,
        RunState::Inmigrate,
    ] {
        assert!(states.contains(&known), "{known}");
    }
    assert!(
        !states
            .iter()
            .any(|state| matches!(state, RunState::Unknown(_)))
    );
}
