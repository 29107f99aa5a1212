//! Events as a stream.

use std::future::poll_fn;
use std::pin::Pin;
use std::time::{Duration, SystemTime};

use futures_core::Stream;
use qga_qmp::commands::power::ShutdownCause;
use qga_qmp::commands::status::QueryName;
use qga_qmp::{EventKind, Events, Monitor};

use crate::peer::{Peer, pair};

async fn connected() -> (Monitor, Peer) {
    let (stream, mut peer) = pair();
    let monitor = Monitor::builder().kept_events(3).build(stream);
    let (connected, ()) = tokio::join!(monitor.connected(), peer.begin());
    connected.unwrap();
    (monitor, peer)
}

async fn name(events: &mut Events) -> String {
    match events.next().await.unwrap() {
        Ok(event) => event.kind.name().to_owned(),
        Err(missed) => missed.to_string(),
    }
}

#[tokio::test(start_paused = true)]
async fn events_are_typed_and_have_their_time() {
    let (monitor, mut peer) = connected().await;
    let mut events = monitor.events();
    peer.event("SHUTDOWN", r#"{"guest": true, "reason": "guest-shutdown"}"#)
        .await;
    peer.event(
        "RESET",
        r#"{"guest": false, "reason": "host-qmp-system-reset"}"#,
    )
    .await;
    peer.event("VSERPORT_CHANGE", r#"{"id": "qga", "open": true}"#)
        .await;
    let event = events.next().await.unwrap().unwrap();
    let at = event.at.duration_since(SystemTime::UNIX_EPOCH).unwrap();
    assert_eq!(at, Duration::new(1_700_000_000, 5_000));
    let EventKind::Shutdown(shutdown) = event.kind else {
        panic!("{event:?}");
    };
    assert_eq!(shutdown.reason, ShutdownCause::GuestShutdown);
    let event = events.next().await.unwrap().unwrap();
    assert!(
        matches!(event.kind, EventKind::Reset(reset) if reset.reason == ShutdownCause::HostQmpSystemReset)
    );
    let event = events.next().await.unwrap().unwrap();
    assert!(matches!(event.kind, EventKind::VserportChange(change) if change.open));
}

#[tokio::test(start_paused = true)]
async fn what_is_not_known_or_does_not_fit_is_kept_as_it_came() {
    let (monitor, mut peer) = connected().await;
    let mut events = monitor.events();
    peer.event("RTC_CHANGE", r#"{"offset": 78}"#).await;
    peer.event("SHUTDOWN", r#"{"guest": "perhaps"}"#).await;
    for (name, data) in [
        ("RTC_CHANGE", r#"{"offset": 78}"#),
        ("SHUTDOWN", r#"{"guest": "perhaps"}"#),
    ] {
        let event = events.next().await.unwrap().unwrap();
        assert_eq!(event.kind.name(), name);
        let EventKind::Unknown(raw) = event.kind else {
            panic!("{event:?}");
        };
        assert_eq!(raw.data.unwrap().get(), data);
    }
}

#[tokio::test(start_paused = true)]
async fn who_is_slow_is_told_how_many_events_were_missed_and_others_miss_none() {
    let (monitor, mut peer) = connected().await;
    let mut slow = monitor.events();
    let mut quick = monitor.events();
    for event in ["A", "B", "C", "D", "E"] {
        peer.event(event, "{}").await;
        assert_eq!(name(&mut quick).await, event);
    }
    for told in ["2 events were missed", "C", "D", "E"] {
        assert_eq!(name(&mut slow).await, told);
    }
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_a_reply_reads_events_for_others() {
    let (monitor, mut peer) = connected().await;
    let mut events = monitor.events();
    let serve = async {
        let request = peer.request().await;
        peer.event("STOP", "{}").await;
        peer.reply(&request, "{}").await;
    };
    let (asked, ()) = tokio::join!(monitor.execute(QueryName), serve);
    asked.unwrap();
    drop(peer);
    assert_eq!(name(&mut events).await, "STOP");
}

#[tokio::test(start_paused = true)]
async fn a_subscriber_hears_nothing_from_before() {
    let (monitor, mut peer) = connected().await;
    let mut early = monitor.events();
    peer.event("A", "{}").await;
    assert_eq!(name(&mut early).await, "A");
    let mut late = monitor.events();
    peer.event("B", "{}").await;
    assert_eq!(name(&mut late).await, "B");
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_stream_that_is_not_opened_again_is_told_once_and_is_the_end() {
    let (monitor, mut peer) = connected().await;
    let mut events = monitor.events();
    peer.event("A", "{}").await;
    drop(peer);
    assert_eq!(name(&mut events).await, "A");
    assert_eq!(
        name(&mut events).await,
        "the connection to the monitor was lost, and events with it"
    );
    assert!(events.next().await.is_none());
    let as_stream = poll_fn(|cx| Pin::new(&mut events).poll_next(cx)).await;
    assert!(as_stream.is_none());
}

#[tokio::test(start_paused = true)]
async fn who_listens_on_has_the_connection_opened_anew_ever_more_seldom() {
    let (tried, mut openings) = tokio::sync::mpsc::unbounded_channel();
    let connect = Monitor::builder().connect_with(move || {
        let (stream, peer) = pair();
        let is_up = tried.send(peer).is_ok();
        std::future::ready(if is_up {
            Ok(stream)
        } else {
            Err(std::io::ErrorKind::ConnectionRefused.into())
        })
    });
    let serve = async {
        let mut peer = openings.recv().await.unwrap();
        peer.begin().await;
        peer
    };
    let (monitor, mut peer) = tokio::join!(connect, serve);
    let monitor = monitor.unwrap();
    let mut events = monitor.events();
    peer.event("A", "{}").await;
    assert_eq!(name(&mut events).await, "A");
    drop(peer);
    assert!(name(&mut events).await.contains("was lost"));
    let begun = tokio::time::Instant::now();
    let serve = async {
        // The first ones hang up at once.
        for _ in 0..4 {
            drop(openings.recv().await.unwrap());
        }
        let mut peer = openings.recv().await.unwrap();
        peer.begin().await;
        peer.event("B", "{}").await;
        peer
    };
    let (told, _peer) = tokio::join!(name(&mut events), serve);
    assert_eq!(told, "B");
    let took = begun.elapsed();
    assert!(took >= Duration::from_millis(250 + 500 + 1000), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_dropped_subscriber_keeps_nothing_and_a_dropped_future_loses_nothing() {
    let (monitor, mut peer) = connected().await;
    let mut events = monitor.events();
    let dropped = monitor.events();
    let waited = tokio::time::timeout(Duration::from_secs(1), events.next()).await;
    assert!(waited.is_err());
    drop(dropped);
    peer.event("A", "{}").await;
    assert_eq!(name(&mut events).await, "A");
}
