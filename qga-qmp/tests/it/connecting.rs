//! How a connection begins, and begins anew.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use qga_core::{Client, ErrorKind, Stage};
use qga_qmp::Monitor;
use qga_qmp::commands::status::QueryName;
use qga_testserver::TestMachine;
use tokio::io::DuplexStream;
use tokio::net::UnixListener;

use crate::peer::{GREETING, pair};

#[tokio::test]
async fn no_qemu_and_another_client_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("qmp.sock");
    let builder = Monitor::builder().connect_timeout(Duration::from_millis(100));

    let missing = builder.clone().connect(&*path).await.unwrap_err();
    assert_eq!(missing.stage(), Stage::Connect);
    assert!(
        missing.to_string().contains("there is no such socket"),
        "{missing}"
    );

    let listener = UnixListener::bind(&path).unwrap();
    let busy = builder.clone().connect(&*path).await.unwrap_err();
    assert_eq!(busy.stage(), Stage::Negotiate);
    assert!(busy.is_held());
    assert!(
        busy.to_string()
            .contains("another client holds it, QEMU itself stands still, or"),
        "{busy}"
    );

    drop(listener);
    let left = builder.connect(&*path).await.unwrap_err();
    assert_eq!(left.stage(), Stage::Connect);
    assert!(left.to_string().contains("nobody listens there"), "{left}");
}

#[tokio::test(start_paused = true)]
async fn a_monitor_that_greets_and_does_not_consent_is_a_timeout() {
    let (stream, mut peer) = pair();
    let monitor = Monitor::new(stream);
    let greet = async {
        peer.send(GREETING).await;
        peer.request().await;
        std::future::pending::<()>().await;
    };
    let error = tokio::select! { connected = monitor.connected() => connected.unwrap_err(), () = greet => unreachable!() };
    assert_eq!(error.stage(), Stage::Negotiate);
    assert!(error.is_timeout() && !error.is_held(), "{error}");
}

#[tokio::test(start_paused = true)]
async fn bytes_that_trickle_in_do_not_extend_the_handshake() {
    let (stream, mut peer) = pair();
    let monitor = Monitor::new(stream);
    let begun = tokio::time::Instant::now();
    let drip = async {
        loop {
            peer.send("").await;
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
    };
    let error = tokio::select! { connected = monitor.connected() => connected.unwrap_err(), () = drip => unreachable!() };
    assert!(error.is_held());
    assert!(begun.elapsed() < Duration::from_secs(6));
}

#[tokio::test(start_paused = true)]
async fn events_before_and_within_the_handshake_are_borne_and_told() {
    let (stream, mut peer) = pair();
    let monitor = Monitor::new(stream);
    let mut events = monitor.events();
    let serve = async {
        peer.event("STOP", "{}").await;
        peer.send(GREETING).await;
        peer.event("RESUME", "{}").await;
        let request = peer.request().await;
        peer.event("POWERDOWN", "{}").await;
        peer.reply(&request, "{}").await;
    };
    let (connected, ()) = tokio::join!(monitor.connected(), serve);
    connected.unwrap();
    for name in ["STOP", "RESUME", "POWERDOWN"] {
        let event = events.next().await.unwrap().unwrap();
        assert_eq!(event.kind.name(), name);
    }
}

#[tokio::test(start_paused = true)]
async fn a_monitor_that_refuses_everybody_is_an_error_with_its_words() {
    let (stream, mut peer) = pair();
    let monitor = Monitor::new(stream);
    let serve = async {
        peer.send(GREETING).await;
        let request = peer.request().await;
        peer.fail(&request, "GenericError", "not you").await;
    };
    let (error, ()) = tokio::join!(monitor.connected(), serve);
    let error = error.unwrap_err();
    assert_eq!(error.stage(), Stage::Negotiate);
    assert!(matches!(error.kind(), ErrorKind::Agent(error) if error.desc == "not you"));
}

#[tokio::test(start_paused = true)]
async fn one_that_hangs_up_before_it_greets_is_no_other_client() {
    let (stream, peer) = pair();
    let monitor = Monitor::new(stream);
    drop(peer);
    let error = monitor.connected().await.unwrap_err();
    assert!(error.is_closed() && !error.is_held());
    assert_eq!(error.stage(), Stage::Negotiate);
}

#[tokio::test(start_paused = true)]
async fn dropping_what_connects_leaves_a_monitor_that_can_connect() {
    let (stream, mut peer) = pair();
    let monitor = Monitor::new(stream);
    let dropped = tokio::time::timeout(Duration::from_secs(1), monitor.connected()).await;
    assert!(dropped.is_err());
    let serve = async {
        peer.begin().await;
        peer.serve("query-name", "{}").await;
    };
    let (asked, ()) = tokio::join!(monitor.execute(QueryName), serve);
    asked.unwrap();
}

/// Streams for a client, one after the other.
fn streams(
    streams: Vec<DuplexStream>,
) -> impl Fn() -> std::future::Ready<io::Result<DuplexStream>> {
    let streams = Arc::new(Mutex::new(VecDeque::from(streams)));
    move || {
        let next = streams.lock().unwrap().pop_front();
        std::future::ready(next.ok_or_else(|| io::ErrorKind::ConnectionRefused.into()))
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_connection_is_opened_anew_and_nothing_is_sent_twice() {
    let ((first, mut before), (second, mut after)) = (pair(), pair());
    let connect = Monitor::builder().connect_with(streams(vec![first, second]));
    let (monitor, ()) = tokio::join!(connect, before.begin());
    let monitor = monitor.unwrap();
    let hang_up = async {
        before.request().await;
        drop(before);
    };
    let (lost, ()) = tokio::join!(monitor.execute(QueryName), hang_up);
    assert!(lost.unwrap_err().is_closed());
    let serve = async {
        after.begin().await;
        after.serve("query-name", r#"{"name": "again"}"#).await;
    };
    let (asked, ()) = tokio::join!(monitor.execute(QueryName), serve);
    assert_eq!(asked.unwrap().name.as_deref(), Some("again"));
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_has_ended_unseen_is_opened_anew_before_a_command_is_sent() {
    let ((first, mut before), (second, mut after)) = (pair(), pair());
    let connect = Monitor::builder().connect_with(streams(vec![first, second]));
    let (monitor, ()) = tokio::join!(connect, before.begin());
    drop(before);
    let serve = async {
        after.begin().await;
        after.serve("query-name", "{}").await;
    };
    let (asked, ()) = tokio::join!(async { monitor.unwrap().execute(QueryName).await }, serve);
    asked.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_address_that_cannot_be_read_or_may_not_be_opened_says_so() {
    for (address, words) in [
        ("localhost:4444", "write tcp:localhost:4444"),
        ("exec:cat", "has to be allowed"),
        ("libvirt:vm1", "there is no scheme `libvirt`"),
    ] {
        let error = Monitor::connect(address).await.unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
    }
}

#[tokio::test]
async fn sockets_that_were_mixed_up_are_called_by_their_names() {
    let fake = TestMachine::start().await;
    let (agent, monitor) = (fake.agent().address(), fake.monitor_address());
    let error = Client::connect(&*monitor).await.unwrap_err();
    assert!(error.to_string().contains("QEMU's monitor"), "{error}");
    let time = Duration::from_millis(50);
    let builder = Monitor::builder().connect_timeout(time);
    let error = builder.connect(&*agent).await.unwrap_err();
    assert!(error.to_string().contains("agent"), "{error}");
}
