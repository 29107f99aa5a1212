//! A channel that ends while nobody looks, and comes back.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use qga_core::{Client, ErrorKind, Execution, Stage};
use serde_json::json;
use tokio::net::UnixListener;

use crate::support::{Peer, Ping, QUICK, Shutdown, echo, synced_pair};

async fn accept(listener: &UnixListener) -> Peer {
    let mut peer = Peer::over(listener.accept().await.unwrap().0);
    peer.sync().await;
    peer
}

#[tokio::test(start_paused = true)]
async fn a_channel_that_ended_while_idle_has_not_run_the_next_command() {
    let (client, mut peer) = synced_pair().await;
    peer.say_no_more().await;
    let error = client.execute(Shutdown).await.unwrap_err();
    assert!(error.is_closed());
    assert_eq!(error.execution(), Execution::NotRun);
}

#[tokio::test]
async fn a_client_made_from_an_address_connects_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("qga.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let (client, mut peer) = tokio::join!(Client::connect(&path), accept(&listener));
    let client = client.unwrap();
    let (lost, ()) = tokio::join!(client.execute(echo(1)), async {
        peer.request().await;
        drop(peer);
    });
    assert_eq!(lost.unwrap_err().execution(), Execution::MaybeRun);
    let (answer, ()) = tokio::join!(client.execute(echo(2)), async {
        accept(&listener).await.answer_echo().await;
    });
    assert_eq!(answer.unwrap(), "2");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_was_given_a_way_to_connect_uses_it_again() {
    let (ours, streams) = std::sync::mpsc::channel();
    let open = move || {
        let (stream, peer) = tokio::io::duplex(4096);
        ours.send(Peer::over(peer)).unwrap();
        async move { Ok(stream) }
    };
    let serve = async || {
        tokio::task::yield_now().await;
        let mut peer = streams.recv().unwrap();
        peer.sync().await;
        peer
    };
    let (client, peer) = tokio::join!(Client::builder().connect_with(open), serve());
    let client = client.unwrap();
    drop(peer);
    let (pinged, ()) = tokio::join!(client.execute(Ping), async {
        serve().await.answer(json!({})).await;
    });
    pinged.unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_old_stream_is_let_go_of_before_the_new_one_is_synchronized() {
    let (ours, streams) = std::sync::mpsc::channel();
    let open = move || {
        let (stream, peer) = tokio::io::duplex(4096);
        ours.send(Peer::over(peer)).unwrap();
        async move { Ok(stream) }
    };
    let next = async || {
        tokio::task::yield_now().await;
        streams.recv().unwrap()
    };
    let connect = Client::builder().connect_with(open);
    let (client, mut first) = tokio::join!(connect, async {
        let mut first = next().await;
        first.sync().await;
        first
    });
    first.say_no_more().await;
    let client = client.unwrap();
    let (pinged, ()) = tokio::join!(client.execute(Ping), async {
        let mut second = next().await;
        assert!(!first.hears_nothing().await, "the old stream is open");
        second.sync().await;
        second.answer(json!({})).await;
    });
    pinged.unwrap();
}

#[tokio::test(start_paused = true)]
async fn after_two_failures_commands_fail_at_once_until_a_pause_is_over() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("qga.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let connect = Client::builder().options(QUICK).connect(&path);
    let (client, peer) = tokio::join!(connect, accept(&listener));
    let client = client.unwrap();
    drop((listener, peer));
    std::fs::remove_file(&path).unwrap();

    let first = client.execute(Ping).await.unwrap_err();
    assert_eq!(first.retry_after(), None);
    let second = client.execute(Ping).await.unwrap_err();
    let listener = UnixListener::bind(&path).unwrap();
    let third = client.execute(Ping).await.unwrap_err();
    for error in [second, third] {
        assert!(matches!(error.kind(), ErrorKind::Open(_)), "{error:?}");
        assert_eq!(
            (error.stage(), error.execution()),
            (Stage::Connect, Execution::NotRun)
        );
        let pause = error.retry_after().unwrap();
        assert!(pause <= Duration::from_millis(200), "{pause:?}");
        let text = error.to_string();
        for said in [
            "guest-ping at",
            "there is no such socket",
            "not tried again for",
        ] {
            assert!(text.contains(said), "{text}");
        }
    }
    tokio::time::advance(Duration::from_secs(1)).await;
    let (pinged, ()) = tokio::join!(client.execute(Ping), async {
        accept(&listener).await.answer(json!({})).await;
    });
    pinged.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_panic_while_the_channel_is_opened_is_not_met_again() {
    let opened = AtomicU32::new(0);
    let open = move || {
        let number = opened.fetch_add(1, Ordering::SeqCst);
        async move {
            tokio::task::yield_now().await;
            assert_ne!(number, 1, "this is the second");
            let (ours, theirs) = tokio::io::duplex(4096);
            tokio::spawn(async move {
                let mut peer = Peer::over(theirs);
                peer.sync().await;
                peer.answer(json!({})).await;
            });
            Ok(ours)
        }
    };
    let client = Client::builder().options(QUICK).connect_with(open).await;
    let client = client.unwrap();
    client.execute(Ping).await.unwrap();
    tokio::task::yield_now().await;

    let other = client.clone();
    let failed = tokio::spawn(async move { other.execute(Ping).await }).await;
    assert!(failed.unwrap_err().is_panic());
    client.execute(Ping).await.unwrap();
}
