//! Channels that are closed while nobody uses them.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use crate::support::{Ping, echo, synced_pair};
use qga_core::{ChannelState, Client};
use qga_testserver::TestAgent;
use tokio::net::UnixStream;
use tokio::time::timeout;

#[tokio::test]
async fn a_channel_that_is_closed_while_it_is_idle_comes_back_with_the_next_command() {
    let agent = TestAgent::start().await;
    let client = Client::connect(agent.path()).await.unwrap();
    let state = client.state();
    let contact = client.contact();
    assert!(client.close_idle() && client.close_idle());
    let ChannelState::Lost { cause } = state.borrow().clone() else {
        panic!("it is not closed");
    };
    assert_eq!(
        &*cause,
        "the client closed the channel while nobody used it"
    );
    assert_ne!(client.contact(), contact);
    // The agent is free for others meanwhile.
    Client::connect(agent.path()).await.unwrap();
    client.clone().execute(Ping).await.unwrap();
    assert_eq!(*state.borrow(), ChannelState::Ready);
}

#[tokio::test]
async fn a_channel_that_a_pipeline_has_is_not_closed() {
    let agent = TestAgent::start().await;
    let client = Client::connect(agent.path()).await.unwrap();
    let mut pipeline = client.pipeline([Ping, Ping, Ping]);
    pipeline.next().await.unwrap().unwrap();
    assert!(!client.close_idle());
    while let Some(result) = pipeline.next().await {
        result.unwrap();
    }
    drop(pipeline);
    assert!(client.close_idle());
}

#[tokio::test(start_paused = true)]
async fn a_client_that_could_not_open_its_channel_again_keeps_it() {
    let (client, mut peer) = synced_pair().await;
    assert!(!client.close_idle());
    let (answer, ()) = tokio::join!(client.execute(echo(1)), peer.answer_echo());
    answer.unwrap();
    drop(peer);
    client.execute(Ping).await.unwrap_err();
    assert!(client.close_idle(), "it has ended by itself");
}

#[tokio::test]
async fn a_lock_is_held_while_the_channel_is_closed() {
    let agent = TestAgent::start().await;
    let builder = Client::builder().lock(true);
    let client = builder.clone().connect(agent.path()).await.unwrap();
    assert!(client.close_idle());
    let error = builder.clone().connect(agent.path()).await.unwrap_err();
    assert!(error.is_held());
    client.execute(Ping).await.unwrap();
    drop(client);
    builder.connect(agent.path()).await.unwrap();
}

#[tokio::test]
async fn a_handle_for_one_contact_sends_nothing_after_the_channel_was_closed() {
    let agent = TestAgent::start().await;
    let client = Client::connect(agent.path()).await.unwrap();
    let bound = client.in_contact(client.contact());
    bound.execute(Ping).await.unwrap();
    assert!(client.close_idle());
    assert!(bound.execute(Ping).await.unwrap_err().is_not_allowed());
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_is_being_opened_is_let_go_of() {
    let opening = Arc::new(());
    let held = Arc::clone(&opening);
    let agent = TestAgent::start().await;
    let path = agent.path().to_owned();
    let first = AtomicBool::new(true);
    let open = move || {
        let (held, path, is_first) = (held.clone(), path.clone(), first.swap(false, Relaxed));
        async move {
            if !is_first {
                std::future::pending::<()>().await;
            }
            drop(held);
            UnixStream::connect(path).await
        }
    };
    let client = Client::builder().connect_with(open).await.unwrap();
    assert!(client.close_idle());
    let short = timeout(Duration::from_secs(1), client.execute(Ping)).await;
    assert!(short.is_err());
    assert_eq!(Arc::strong_count(&opening), 3);
    assert!(client.close_idle());
    assert_eq!(Arc::strong_count(&opening), 2);
}
