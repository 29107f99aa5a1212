//! Monitors that mean no good.

use std::time::Duration;

use qga_core::{ErrorKind, Malformed};
use qga_qmp::commands::status::QueryStatus;
use qga_qmp::{Missed, Monitor};
use serde_json::json;

use crate::peer::{GREETING, Peer, pair};

const STATUS: &str = r#"{"status": "running", "running": true, "singlestep": false}"#;

async fn connected() -> (Monitor, Peer) {
    let (stream, mut peer) = pair();
    let monitor = Monitor::new(stream);
    let (connected, ()) = tokio::join!(monitor.connected(), peer.begin());
    connected.unwrap();
    (monitor, peer)
}

#[tokio::test(start_paused = true)]
async fn answers_to_nobody_and_greetings_anew_disturb_no_command() {
    let (monitor, mut peer) = connected().await;
    for _ in 0..3 {
        let play = async {
            let request = peer.request().await;
            let id = &request["id"];
            peer.send(GREETING).await;
            for foreign in [
                "0",
                "null",
                "\"x\"",
                "[1]",
                "-1",
                "999",
                "18446744073709551616",
            ] {
                peer.send(&format!(r#"{{"return": {{}}, "id": {foreign}}}"#))
                    .await;
            }
            peer.send(r#"{"return": {"status": "nobody's"}}"#).await;
            peer.reply(&request, STATUS).await;
            // Once more, and for what comes next.
            peer.reply(&request, r#"{"status": "repeated"}"#).await;
            let next = json!({ "id": id.as_u64().unwrap() + 1 });
            peer.reply(&next, r#"{"status": "too early"}"#).await;
        };
        let (status, ()) = tokio::join!(monitor.execute(QueryStatus), play);
        assert!(status.unwrap().running);
    }
}

#[tokio::test(start_paused = true)]
async fn a_line_beyond_all_measure_is_passed_over() {
    let (monitor, mut peer) = connected().await;
    let mut events = monitor.events();
    let play = async {
        let request = peer.request().await;
        let large = "x".repeat(1 << 20);
        peer.bytes(br#"{"event": "X", "data": {"text": ""#).await;
        for _ in 0..32 {
            peer.bytes(large.as_bytes()).await;
        }
        peer.bytes(b"\"}}").await;
        peer.reply(&request, STATUS).await;
    };
    let (status, ()) = tokio::join!(monitor.execute(QueryStatus), play);
    assert!(status.unwrap().running);
    let missed = events.next().await.unwrap().unwrap_err();
    assert!(
        matches!(
            missed,
            Missed {
                events: Some(1),
                ..
            }
        ),
        "{missed}"
    );
}

#[tokio::test(start_paused = true)]
async fn half_a_character_ends_the_connection() {
    let (monitor, mut peer) = connected().await;
    let play = async {
        peer.request().await;
        peer.bytes(b"{\"event\": \"\xC3\"}").await;
    };
    let (status, ()) = tokio::join!(monitor.execute(QueryStatus), play);
    let error = status.unwrap_err();
    let reason = match error.kind() {
        ErrorKind::Malformed { reason, .. } => reason,
        other => panic!("{other:?}"),
    };
    assert_eq!(*reason, Malformed::NotUtf8);
}

#[tokio::test(start_paused = true)]
async fn a_machine_of_ports_without_number_has_the_time_of_one_command() {
    let (monitor, mut peer) = connected().await;
    tokio::spawn(async move {
        while let Some(request) = peer.next().await {
            if request["execute"] == "qom-list" {
                let ports: Vec<_> = (0..500)
                    .map(|number| json!({"name": format!("p{number}"), "type": "child<virtserialport>"}))
                    .collect();
                peer.reply(&request, &json!(ports).to_string()).await;
            } else {
                tokio::time::sleep(Duration::from_secs(1)).await;
                peer.reply(&request, "\"some.other.port\"").await;
            }
        }
    });
    let error = monitor.agent_port().await.unwrap_err();
    assert!(error.is_deadline(), "{error}");
}
