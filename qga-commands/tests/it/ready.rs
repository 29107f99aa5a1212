//! Waiting until a guest is ready.

#![cfg(unix)]

use std::time::Duration;

use qga_commands::capabilities::Refusal;
use qga_commands::guest::ready::{Ready, ReadyStage};
use qga_commands::{Guest, GuestError};
use qga_core::{Client, Options};
use qga_testserver::{Fault, TestAgent};
use serde_json::json;
use tokio::time::Instant;

fn guest() -> (TestAgent, Guest) {
    let (agent, stream) = TestAgent::in_memory();
    let options = Options::new().timeout(Duration::from_secs(5));
    let client = Client::builder().options(options).build(stream);
    (agent, Guest::new(client))
}

fn stage(error: GuestError) -> ReadyStage {
    match error {
        GuestError::NotReady { stage, .. } => stage,
        error => panic!("{error}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_guest_that_boots_is_ready_when_its_agent_answers() {
    let (agent, guest) = guest();
    agent.fault(Fault::delay(Duration::from_secs(40)));
    let start = Instant::now();
    let ready = Ready::ping().command("guest-file-open");
    guest.wait_ready(&ready).await.unwrap();
    let took = start.elapsed().as_secs();
    assert!((40..50).contains(&took), "{took}");
}

#[tokio::test(start_paused = true)]
async fn a_guest_that_stays_silent_is_given_up_in_time_and_asked_seldom() {
    let (agent, guest) = guest();
    agent.on("guest-ping").fault(Fault::no_answer());
    let start = Instant::now();
    let ready = Ready::ping().timeout(Duration::from_secs(50));
    let error = guest.wait_ready(&ready).await.unwrap_err();
    assert!(error.command_error().unwrap().is_timeout());
    assert_eq!(stage(error), ReadyStage::Ping);
    assert!(start.elapsed() < Duration::from_secs(51));
    assert!(agent.requests().len() < 40);
}

#[tokio::test(start_paused = true)]
async fn a_command_that_is_forbidden_or_unknown_is_not_waited_for() {
    let (agent, guest) = guest();
    agent.disable("guest-file-open");
    let start = Instant::now();
    let ready = Ready::ping()
        .command("guest-ping")
        .command("guest-file-open");
    let error = guest.wait_ready(&ready).await.unwrap_err();
    assert!(matches!(
        stage(error),
        ReadyStage::Command(Refusal::Disabled { .. })
    ));
    let ready = Ready::ping().command("acme-backup");
    let error = guest.wait_ready(&ready).await.unwrap_err();
    assert!(
        error.to_string().contains("does not know acme-backup"),
        "{error}"
    );
    assert!(matches!(
        stage(error),
        ReadyStage::Command(Refusal::Unknown { .. })
    ));
    assert!(start.elapsed() < Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn a_guest_that_is_frozen_is_waited_for() {
    let (agent, guest) = guest();
    let command =
        |name, enabled| json!({"name": name, "enabled": enabled, "success-response": true});
    let commands = json!([command("guest-ping", true), command("guest-exec", false)]);
    let frozen = json!({"version": "10.0.2", "supported_commands": commands});
    agent.on("guest-fsfreeze-status").reply("frozen");
    let commands = json!([command("guest-ping", true), command("guest-exec", true)]);
    agent
        .on("guest-info")
        .reply(json!({"version": "10.0.2", "supported_commands": commands}));
    agent.on("guest-info").up_to(3).expect(3).reply(frozen);
    guest
        .wait_ready(&Ready::ping().command("guest-exec"))
        .await
        .unwrap();
}

#[tokio::test]
async fn a_guest_whose_socket_is_not_there_yet_is_connected_to_later() {
    let agent = TestAgent::start().await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("qga.sock");
    let ready = Ready::ping().timeout(Duration::from_millis(300));
    let error = ready.connect(&*path).await.unwrap_err();
    assert_eq!(stage(error), ReadyStage::Connect);
    let ready = Ready::ping();
    let (guest, ()) = tokio::join!(ready.connect(&*path), async {
        tokio::time::sleep(Duration::from_millis(150)).await;
        std::os::unix::fs::symlink(agent.path(), &path).unwrap();
    });
    guest
        .unwrap()
        .execute(qga_commands::commands::agent::Ping)
        .await
        .unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_check_of_the_callers_is_made_again_until_it_succeeds() {
    let (agent, guest) = guest();
    let ready = Ready::ping().then(|guest| async move {
        match guest.read_to_string("/tmp/state").await?.as_str() {
            "up" => Ok(()),
            _ => Err("the service is not up")?,
        }
    });
    let start = Instant::now();
    let boots = async {
        tokio::time::sleep(Duration::from_secs(20)).await;
        agent.file("/tmp/state", "coming");
        tokio::time::sleep(Duration::from_secs(20)).await;
        agent.file("/tmp/state", "up");
    };
    let (waited, ()) = tokio::join!(guest.wait_ready(&ready), boots);
    waited.unwrap();
    let took = start.elapsed().as_secs();
    assert!((40..43).contains(&took), "{took}");
    // A pause of 2 seconds at most, and three quarters of it at least.
    assert!(agent.requests_of("guest-file-open").len() < 40);
}

#[tokio::test(start_paused = true)]
async fn a_check_that_does_not_succeed_is_told_with_its_number_and_its_reason() {
    let (_agent, guest) = guest();
    let ready = Ready::ping()
        .command("guest-file-open")
        .then(|_| async { Ok(()) })
        .then(|_| async { Err("not today")? })
        .timeout(Duration::from_secs(10));
    let start = Instant::now();
    let error = guest.wait_ready(&ready.clone()).await.unwrap_err();
    let text = "the guest was not ready within 10s: check 2 does not succeed: not today";
    assert_eq!(error.to_string(), text);
    assert!(error.command_error().is_none());
    assert_eq!(stage(error), ReadyStage::Check(2));
    assert!(start.elapsed() <= Duration::from_secs(11));
    assert!(format!("{ready:?}").contains("checks: 2"));
}

#[tokio::test(start_paused = true)]
async fn a_command_that_fails_in_a_check_is_in_the_error() {
    let (_agent, guest) = guest();
    let ready = Ready::ping()
        .then(|guest| async move {
            guest.read("/none").await?;
            Ok(())
        })
        .timeout(Duration::from_secs(5));
    let error = guest.wait_ready(&ready).await.unwrap_err();
    assert!(error.command_error().unwrap().agent_error().is_some());
}

#[tokio::test(start_paused = true)]
async fn a_check_that_hangs_is_dropped_when_the_time_is_up() {
    let (_agent, guest) = guest();
    let ready = Ready::ping()
        .then(|_| std::future::pending())
        .timeout(Duration::from_secs(10));
    let start = Instant::now();
    let error = guest.wait_ready(&ready).await.unwrap_err();
    assert_eq!(stage(error), ReadyStage::Check(1));
    assert!(start.elapsed() <= Duration::from_secs(11));
}

#[tokio::test(start_paused = true)]
async fn a_wait_without_end_is_no_overflow() {
    let (_agent, guest) = guest();
    let ready = Ready::ping().timeout(Duration::MAX);
    guest.wait_ready(&ready).await.unwrap();
}

#[tokio::test]
async fn a_guest_that_is_waited_for_has_the_settings_of_its_builder() {
    let agent = TestAgent::start().await;
    let options = Options::new().timeout(Duration::from_secs(7));
    let builder = Guest::builder()
        .options(options)
        .deny(["guest-get-host-name"])
        .lock(true);
    let ready = Ready::ping();
    let guest = builder.clone().connect_ready(agent.address(), &ready).await;
    let guest = guest.unwrap();
    let error = guest.host_name().await.unwrap_err();
    assert!(error.is_not_allowed(), "{error}");
    let timeout = guest.client().options().command_timeout();
    assert_eq!(timeout, Duration::from_secs(7));
    let other = builder.connect_ready(agent.address(), &ready).await;
    assert!(other.unwrap_err().is_held());
}

#[tokio::test(start_paused = true)]
async fn a_policy_without_the_question_holds_while_the_guest_is_waited_for() {
    let agent = TestAgent::start().await;
    let builder = Guest::builder().deny(["guest-info"]);
    let ready = Ready::ping().command("guest-exec");
    let error = builder.connect_ready(agent.address(), &ready).await;
    assert_eq!(stage(error.unwrap_err()), ReadyStage::Refused);
}

#[tokio::test]
async fn a_lock_is_taken_once_the_socket_is_there() {
    let agent = TestAgent::start().await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("qga.sock");
    let builder = Guest::builder().lock(true);
    let ready = Ready::ping().timeout(Duration::from_millis(300));
    let error = builder.clone().connect_ready(&*path, &ready).await;
    assert_eq!(stage(error.unwrap_err()), ReadyStage::Connect);
    let ready = Ready::ping();
    let (guest, ()) = tokio::join!(builder.clone().connect_ready(&*path, &ready), async {
        tokio::time::sleep(Duration::from_millis(150)).await;
        std::os::unix::fs::symlink(agent.path(), &path).unwrap();
    });
    let _guest = guest.unwrap();
    let other = builder.connect_ready(&*path, &ready).await;
    assert!(other.unwrap_err().is_held());
}

#[tokio::test(start_paused = true)]
async fn the_wait_for_a_socket_that_a_lock_needs_counts_for_the_deadline() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("qga.sock");
    let start = Instant::now();
    let builder = Guest::builder().lock(true).within(Duration::from_secs(5));
    let error = builder.connect_ready(&*path, &Ready::ping()).await;
    assert_eq!(stage(error.unwrap_err()), ReadyStage::Connect);
    assert!(start.elapsed() < Duration::from_secs(6));
}

#[tokio::test(start_paused = true)]
async fn the_time_that_is_told_is_the_one_that_was_waited() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("qga.sock");
    for lock in [false, true] {
        let builder = Guest::builder().lock(lock).within(Duration::from_secs(5));
        let error = builder.connect_ready(&*path, &Ready::ping()).await;
        let text = error.unwrap_err().to_string();
        assert!(text.contains("was not ready within 5s"), "{text}");
    }
    let (agent, guest) = guest();
    agent.on("guest-ping").fault(Fault::no_answer());
    let guest = guest.within(Duration::from_secs(3));
    let error = guest.wait_ready(&Ready::ping()).await.unwrap_err();
    let text = "the guest was not ready within 3s";
    assert!(error.to_string().starts_with(text), "{error}");
}

#[tokio::test]
async fn what_was_waited_for_a_socket_is_taken_off_the_deadline() {
    let agent = TestAgent::start().await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("qga.sock");
    let builder = Guest::builder().lock(true).within(Duration::from_secs(60));
    let ready = Ready::ping();
    let (guest, linked) = tokio::join!(builder.connect_ready(&*path, &ready), async {
        tokio::time::sleep(Duration::from_millis(150)).await;
        let before = Instant::now();
        std::os::unix::fs::symlink(agent.path(), &path).unwrap();
        before
    });
    let deadline = guest.unwrap().client().deadline().unwrap();
    assert!(deadline < linked + Duration::from_secs(60));
}
