//! What is due before any command of a guest.

use std::task::Poll;
use std::time::Duration;

use qga_commands::ClientExt as _;
use qga_commands::commands::agent::Ping;
use qga_commands::commands::os::GetHostName;
use qga_commands::guest::HealthState;
use qga_commands::{Guest, GuestError};
use qga_core::{Client, Options};
use qga_testserver::{Fault, TestAgent};
use tokio::time::{Instant, timeout};

use crate::support::requests_of;

const TIMEOUT: Duration = Duration::from_secs(5);

#[tokio::test(start_paused = true)]
async fn files_whose_close_is_not_answered_do_not_keep_a_command_waiting_for_each() {
    let (agent, stream) = TestAgent::in_memory();
    let options = Options::new().timeout(TIMEOUT);
    let guest = Guest::new(Client::builder().options(options).build(stream));
    agent.file("/tmp/file", "x");
    let mut files = Vec::new();
    for _ in 0..50 {
        files.push(guest.open("/tmp/file").await.unwrap());
    }
    drop(files);
    agent.on("guest-file-close").fault(Fault::no_answer());
    let start = Instant::now();
    guest.execute(GetHostName).await.unwrap();
    assert!(start.elapsed() <= 2 * TIMEOUT, "{:?}", start.elapsed());
    // Another one is tried, and then none for a minute.
    for _ in 0..10 {
        guest.execute(GetHostName).await.unwrap();
    }
    assert!(start.elapsed() <= 2 * TIMEOUT, "{:?}", start.elapsed());
    agent.reset();
    tokio::time::sleep(Duration::from_secs(60)).await;
    // Those that were not answered may have been closed, and are not closed again.
    let tried = agent.open_handles();
    guest.execute(GetHostName).await.unwrap();
    let closed = agent.requests_of("guest-file-close").into_iter();
    let closed: Vec<_> = closed
        .map(|request| request.arguments["handle"].as_i64().unwrap())
        .collect();
    let once: std::collections::BTreeSet<_> = closed.iter().collect();
    assert_eq!(once.len(), closed.len(), "{closed:?}");
    assert!(
        tried.iter().all(|handle| once.contains(handle)),
        "{closed:?}"
    );
    assert!(agent.open_handles().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_file_whose_close_is_refused_is_closed_later() {
    let (agent, stream) = TestAgent::in_memory();
    let guest = Guest::new(Client::new(stream));
    agent.file("/tmp/file", "x");
    drop(guest.open("/tmp/file").await.unwrap());
    let refused = agent.on("guest-file-close").up_to(1);
    refused.error("CommandNotFound", "frozen by somebody else");
    for closes in [1, 2, 2] {
        guest.execute(GetHostName).await.unwrap();
        assert_eq!(requests_of(&agent, "guest-file-close").len(), closes);
    }
}

#[tokio::test(start_paused = true)]
async fn a_command_that_a_client_denies_is_not_taken_for_one_that_waits_for_a_thaw() {
    let (_agent, stream) = TestAgent::in_memory();
    let client = Client::builder().deny(["guest-ping"]).build(stream);
    let guest = Guest::new(client);
    let frozen = guest.freeze().await.unwrap();
    let error = guest.execute(Ping).await.unwrap_err();
    assert!(matches!(error, GuestError::Command(_)), "{error}");
    frozen.thaw().await.unwrap();
}

/// As in a `select!` whose other branch asks for something of the same guest.
#[tokio::test(start_paused = true)]
async fn a_question_that_is_begun_and_left_alone_holds_nobody_up_for_ever() {
    let (_agent, stream) = TestAgent::in_memory();
    let options = Options::new().timeout(TIMEOUT);
    let guest = Guest::new(Client::builder().options(options).build(stream));
    let client = guest.client().clone();
    let mut capabilities = Box::pin(client.capabilities());
    let begun = std::future::poll_fn(|cx| Poll::Ready(capabilities.as_mut().poll(cx).is_ready()));
    assert!(!begun.await);
    let error = timeout(2 * TIMEOUT, guest.freeze())
        .await
        .unwrap()
        .unwrap_err();
    assert!(error.command_error().unwrap().is_timeout(), "{error}");
    drop(capabilities);
    let mut health = Box::pin(guest.health());
    let begun = std::future::poll_fn(|cx| Poll::Ready(health.as_mut().poll(cx).is_ready()));
    assert!(!begun.await);
    let other = timeout(3 * TIMEOUT, guest.health()).await.unwrap();
    assert_eq!(other.state, HealthState::Busy);
}
