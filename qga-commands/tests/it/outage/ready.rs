//! Guests that are waited for, and those that are not.

use qga_commands::commands::agent::Ping;
use qga_commands::commands::os::GetHostName;
use qga_commands::guest::HealthState;
use qga_commands::guest::ready::{Ready, ReadyStage};
use qga_commands::{Guest, GuestError};
use qga_core::{Client, Error};
use qga_testserver::{Fault, TestAgent};
use tokio::net::{UnixListener, UnixSocket, UnixStream};
use tokio::time::Instant;

use super::health::state_later;
use super::{MINUTE, REFUSED, SECOND, SILENT, trip_the_pause, with_long_pauses};
use crate::support::faults::{
    SILENT_FOR_GOOD, TIMEOUT, at_every_message, lose, over_a_line, trouble_at_every_message,
};

fn stage_and_source(error: &GuestError) -> (ReadyStage, Option<&Error>) {
    match error {
        GuestError::NotReady { stage, .. } => (stage.clone(), error.command_error()),
        error => panic!("{error}"),
    }
}

/// A listener with as many clients in its queue as it takes.
async fn full_queue() -> (tempfile::TempDir, String, UnixListener, Vec<UnixStream>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("qga.sock");
    let listener = UnixSocket::new_stream().unwrap();
    listener.bind(&path).unwrap();
    let listener = listener.listen(0).unwrap();
    let mut queued = Vec::new();
    while let Ok(stream) = UnixStream::connect(&path).await {
        queued.push(stream);
    }
    (folder, path.display().to_string(), listener, queued)
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_refuses_to_synchronize_is_there() {
    let (agent, stream) = TestAgent::in_memory();
    agent.disable("guest-sync");
    agent.disable("guest-sync-delimited");
    let guest = Guest::new(Client::new(stream));
    let health = guest.health().await;
    assert_eq!(health.state, HealthState::Ready);
    assert!(health.cause.is_some());
    let start = Instant::now();
    let error = guest.wait_ready(&Ready::ping()).await.unwrap_err();
    assert_eq!(stage_and_source(&error).0, ReadyStage::Refused);
    assert!(start.elapsed() < SECOND);
}

#[tokio::test(start_paused = true)]
async fn a_guest_whose_queue_is_full_is_there() {
    let (_folder, path, _listener, _queued) = full_queue().await;
    let client = Client::builder().connect_lazy(&path).unwrap();
    let guest = Guest::new(client);
    for _ in 0..4 {
        assert_eq!(state_later(&guest).await, HealthState::Starting);
    }
    let ready = Ready::ping().timeout(30 * SECOND);
    let error = ready.connect(&path).await.unwrap_err();
    let (stage, source) = stage_and_source(&error);
    assert_eq!(stage, ReadyStage::Ping);
    assert!(source.unwrap().is_timeout(), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_guest_that_is_there_becomes_ready_whatever_message_is_spoilt() {
    at_every_message(
        MINUTE,
        |_| {},
        async |guest| guest.wait_ready(&Ready::ping().command("guest-exec")).await,
        |agent, context, ready| {
            ready.unwrap_or_else(|error| panic!("{context}: {error:?}"));
            assert!(!agent.requests_of("guest-info").is_empty(), "{context}");
        },
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_guest_that_hangs_up_and_is_silent_then_does_not_answer_but_can_be_reached() {
    let ready = Ready::ping().timeout(MINUTE);
    let wait = async |guest: &Guest| guest.wait_ready(&ready).await;
    let check = |_: &TestAgent, context: &str, ready: Result<(), GuestError>| {
        let Err(error) = ready else {
            // It needs one message only.
            return;
        };
        let (stage, source) = stage_and_source(&error);
        assert_eq!(stage, ReadyStage::Ping, "{context}");
        let source = source.unwrap();
        assert!(source.is_timeout(), "{context}: {source}");
        assert_eq!(source.stage(), qga_core::Stage::Sync, "{context}: {source}");
        let text = error.to_string();
        assert!(text.contains("its agent does not answer"), "{text}");
    };
    trouble_at_every_message("silent", &SILENT_FOR_GOOD, 62 * SECOND, |_| {}, wait, check).await;
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_has_ended_is_not_waited_for() {
    let (agent, stream) = TestAgent::in_memory();
    let guest = Guest::new(Client::new(stream));
    guest.execute(Ping).await.unwrap();
    agent.fault(Fault::close_before());
    let start = Instant::now();
    let error = guest.wait_ready(&Ready::ping()).await.unwrap_err();
    assert_eq!(stage_and_source(&error).0, ReadyStage::Ended);
    let text = error.to_string();
    for said in ["does not become ready", "cannot open it again"] {
        assert!(text.contains(said), "{text}");
    }
    assert!(error.is_permanent() && !error.is_timeout());
    // Nor by anything else that waits.
    let folder = tempfile::tempdir().unwrap();
    guest
        .download("/f", folder.path().join("f"))
        .await
        .unwrap_err();
    guest.process(1000).wait().await.unwrap_err();
    guest.thaw().await.unwrap_err();
    guest.shutdown().await.unwrap_err();
    assert!(start.elapsed() < SECOND, "{:?}", start.elapsed());
    assert_eq!(guest.health().await.state, HealthState::Absent);
}

#[tokio::test(start_paused = true)]
async fn what_a_client_is_made_to_refuse_is_not_waited_for() {
    let (_agent, stream) = TestAgent::in_memory();
    let client = Client::builder().allow::<&str>([]).build(stream);
    let start = Instant::now();
    let guest = Guest::new(client);
    // That its agent answers shows without any command.
    guest.wait_ready(&Ready::ping()).await.unwrap();
    let ready = Ready::ping().command("guest-exec");
    let error = guest.wait_ready(&ready).await.unwrap_err();
    assert_eq!(stage_and_source(&error).0, ReadyStage::Refused);
    assert!(
        error.to_string().contains("does not become ready"),
        "{error}"
    );
    let too_long = format!("/{}", "x".repeat(200));
    let error = Ready::ping().connect(&too_long).await.unwrap_err();
    assert_eq!(stage_and_source(&error).0, ReadyStage::Connect);
    assert!(
        error.to_string().contains("does not become ready"),
        "{error}"
    );
    assert!(start.elapsed() < SECOND);
}

#[tokio::test(start_paused = true)]
async fn a_long_pause_of_the_client_does_not_keep_a_guest_from_being_ready() {
    for deadline in [MINUTE, 10 * SECOND, SECOND] {
        let (agent, line, guest) = with_long_pauses().await;
        trip_the_pause(&agent, &line, &guest).await;
        line.heals();
        let start = Instant::now();
        let ready = Ready::ping().timeout(deadline);
        guest.wait_ready(&ready).await.unwrap();
        assert!(start.elapsed() < 5 * SECOND, "{:?}", start.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn a_guest_that_cannot_be_reached_is_told_with_the_reason_also_from_a_pause() {
    let (agent, line, guest) = over_a_line().await;
    trip_the_pause(&agent, &line, &guest).await;
    let start = Instant::now();
    let ready = Ready::ping().timeout(50 * SECOND);
    let error = guest.wait_ready(&ready).await.unwrap_err();
    let (stage, source) = stage_and_source(&error);
    assert_eq!(stage, ReadyStage::Connect);
    assert!(!source.unwrap().is_timeout(), "{error}");
    assert!(start.elapsed() > 45 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_is_shorter_than_the_clients_timeout_tells_what_it_has_seen() {
    for (door, stage) in [(SILENT, ReadyStage::Ping), (REFUSED, ReadyStage::Connect)] {
        let (agent, line, guest) = over_a_line().await;
        lose(&agent, &line, &guest, door).await;
        let ready = Ready::ping().timeout(TIMEOUT / 2);
        let error = guest.wait_ready(&ready).await.unwrap_err();
        let (seen, source) = stage_and_source(&error);
        assert_eq!(seen, stage);
        assert!(source.is_some(), "{error}");
    }
}

/// As of a guest that was connected to before it had opened the port.
#[tokio::test(start_paused = true)]
async fn a_first_connection_that_is_never_answered_is_given_up() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("qga.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let (agent, _) = TestAgent::in_memory();
    let serve = tokio::spawn(async move {
        let _silent = listener.accept().await.unwrap();
        let (mut second, _) = listener.accept().await.unwrap();
        let mut agent = agent.connect();
        tokio::io::copy_bidirectional(&mut second, &mut agent).await
    });
    let guest = Ready::ping().connect(&*path).await.unwrap();
    guest.execute(GetHostName).await.unwrap();
    serve.abort();
}
