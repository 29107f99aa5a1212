//! The state of a channel as it is watched.

use std::time::Duration;

use crate::support::{Peer, Ping, QUICK, echo, synced_pair};
use qga_core::{ChannelState, Client};
use serde_json::json;
use tokio::net::UnixListener;

fn lost(state: &ChannelState) -> String {
    match state {
        ChannelState::Lost { cause } => cause.to_string(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_channel_is_busy_while_a_command_or_a_pipeline_has_it() {
    let (client, mut peer) = synced_pair().await;
    let mut state = client.state();
    assert_eq!(*state.borrow_and_update(), ChannelState::Ready);
    let run = client.execute(echo(1));
    let (answer, ()) = tokio::join!(run, async {
        state.changed().await.unwrap();
        assert_eq!(*state.borrow(), ChannelState::Busy);
        peer.answer_echo().await;
    });
    answer.unwrap();
    assert_eq!(*state.borrow(), ChannelState::Ready);
    let mut pipeline = client.pipeline([echo(1), echo(2)]);
    let (first, ()) = tokio::join!(pipeline.next(), peer.answer_echo());
    first.unwrap().unwrap();
    assert_eq!(*state.borrow(), ChannelState::Busy);
    drop(pipeline);
    assert_eq!(*state.borrow(), ChannelState::Ready);
}

#[tokio::test(start_paused = true)]
async fn a_channel_is_ready_again_after_a_dropped_future_and_a_timeout() {
    let (client, mut peer) = synced_pair().await;
    let state = client.state();
    let brief = tokio::time::timeout(Duration::from_secs(1), client.execute(echo(1)));
    brief.await.unwrap_err();
    assert_eq!(*state.borrow(), ChannelState::Ready);
    client.execute(echo(2)).await.unwrap_err();
    assert_eq!(*state.borrow(), ChannelState::Ready);
    peer.request().await;
}

#[tokio::test(start_paused = true)]
async fn a_channel_that_ends_is_lost_and_the_cause_is_kept() {
    let (client, peer) = synced_pair().await;
    drop(peer);
    let state = client.state();
    client.execute(echo(1)).await.unwrap_err();
    let cause = lost(&state.borrow());
    assert!(cause.contains("closed the channel"), "{cause}");
}

#[tokio::test]
async fn a_lost_channel_is_connecting_and_then_ready_or_lost_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("qga.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let connect = Client::builder().options(QUICK).connect(&path);
    let accept = async || {
        let mut peer = Peer::over(listener.accept().await.unwrap().0);
        peer.sync().await;
        peer
    };
    let (client, peer) = tokio::join!(connect, accept());
    let client = client.unwrap();
    drop(peer);
    let mut state = client.state();
    let (pinged, ()) = tokio::join!(client.execute(Ping), async {
        while *state.borrow_and_update() != ChannelState::Connecting {
            state.changed().await.unwrap();
        }
        let mut peer = accept().await;
        let request = peer.request().await;
        assert_eq!(*state.borrow(), ChannelState::Busy);
        peer.send(crate::support::reply(&request, &json!({}))).await;
    });
    pinged.unwrap();
    assert_eq!(*state.borrow(), ChannelState::Ready);

    std::fs::remove_file(&path).unwrap();
    client.execute(Ping).await.unwrap_err();
    let cause = lost(&state.borrow());
    assert!(cause.contains("no such socket"), "{cause}");
    drop(client);
    state.borrow_and_update();
    state.changed().await.unwrap_err();
}

#[tokio::test(start_paused = true)]
async fn the_pauses_after_failures_may_be_set() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("qga.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let pauses = Duration::from_secs(100)..=Duration::from_secs(1000);
    let connect = Client::builder().pauses(pauses).connect(&path);
    let (client, ()) = tokio::join!(connect, async {
        Peer::over(listener.accept().await.unwrap().0).sync().await;
    });
    let client = client.unwrap();
    std::fs::remove_file(&path).unwrap();
    for _ in 0..2 {
        client.execute(Ping).await.unwrap_err();
    }
    let listener = UnixListener::bind(&path).unwrap();
    tokio::time::advance(Duration::from_secs(49)).await;
    let error = client.execute(Ping).await.unwrap_err();
    assert!(error.retry_after().is_some(), "{error}");
    tokio::time::advance(Duration::from_secs(52)).await;
    let (pinged, ()) = tokio::join!(client.execute(Ping), async {
        let mut peer = Peer::over(listener.accept().await.unwrap().0);
        peer.sync().await;
        peer.answer(json!({})).await;
    });
    pinged.unwrap();
}

#[tokio::test(start_paused = true)]
async fn who_begins_to_watch_sees_what_is_and_who_stops_changes_nothing() {
    let (client, mut peer) = synced_pair().await;
    let mut state = None;
    let (answer, ()) = tokio::join!(client.execute(echo(1)), async {
        let request = peer.request().await;
        let mut seen = client.state();
        assert_eq!(*seen.borrow_and_update(), ChannelState::Busy);
        state = Some(seen);
        peer.send(crate::support::echo_reply(&request)).await;
    });
    answer.unwrap();
    let mut first = state.take().unwrap();
    assert!(first.has_changed().unwrap());
    assert_eq!(*first.borrow_and_update(), ChannelState::Ready);
    drop(first);
    assert_eq!(*client.state().borrow(), ChannelState::Ready);
    let (answer, ()) = tokio::join!(client.execute(echo(2)), async {
        peer.request().await;
        drop(peer);
    });
    answer.unwrap_err();
    let state = client.state();
    lost(&state.borrow());
    assert!(!state.has_changed().unwrap());
}

/// A stream that answers nothing and then breaks.
async fn broken_stream() -> (Client, tokio::sync::oneshot::Sender<()>) {
    let (breaks, broken) = tokio::sync::oneshot::channel();
    let (ours, theirs) = tokio::io::duplex(4096);
    let ours = crate::support::Breaking::new(ours, broken);
    let client = Client::builder().options(QUICK).build(ours);
    let mut peer = Peer::over(theirs);
    let (pinged, ()) = tokio::join!(client.execute(Ping), async {
        peer.sync().await;
        peer.answer(json!({})).await;
    });
    pinged.unwrap();
    tokio::spawn(async move {
        peer.request().await;
        std::future::pending::<()>().await;
    });
    (client, breaks)
}

#[tokio::test(start_paused = true)]
async fn the_cause_of_a_loss_is_what_went_wrong_by_whatever_way() {
    for is_pipeline in [false, true] {
        let (client, breaks) = broken_stream().await;
        let lose = async {
            tokio::task::yield_now().await;
            breaks.send(()).unwrap();
        };
        if is_pipeline {
            let mut pipeline = client.pipeline([echo(1), echo(2)]);
            let (answer, ()) = tokio::join!(pipeline.next(), lose);
            answer.unwrap().unwrap_err();
        } else {
            let (answer, ()) = tokio::join!(client.execute(echo(1)), lose);
            answer.unwrap_err();
        }
        let reset = "the other side closed the channel: connection reset";
        assert_eq!(lost(&client.state().borrow()), reset);
        client.execute(echo(3)).await.unwrap_err();
        assert_eq!(lost(&client.state().borrow()), reset);
    }
}

#[tokio::test]
async fn a_second_loss_has_a_cause_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("qga.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let accept = async || {
        let mut peer = Peer::over(listener.accept().await.unwrap().0);
        peer.sync().await;
        peer
    };
    let connect = Client::builder().options(QUICK).connect(&path);
    let (client, peer) = tokio::join!(connect, accept());
    let client = client.unwrap();
    drop(peer);
    let away = folder.path().join("away.sock");
    std::fs::rename(&path, &away).unwrap();
    client.execute(Ping).await.unwrap_err();
    let cause = lost(&client.state().borrow());
    assert!(cause.starts_with("there is no such socket"), "{cause}");
    std::fs::rename(&away, &path).unwrap();
    let (answer, ()) = tokio::join!(client.execute(echo(1)), async {
        accept().await.request().await;
    });
    answer.unwrap_err();
    let cause = lost(&client.state().borrow());
    assert!(cause.starts_with("the other side closed"), "{cause}");
}
