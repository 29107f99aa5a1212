//! Freezes and thaws of several tasks, and what becomes of a thaw that fails.

use std::time::Duration;

use qga_commands::commands::os::GetHostName;
use qga_commands::{Guest, GuestError};
use qga_core::{Client, Execution, Options};
use qga_testserver::{Fault, Profile, TestAgent};

const FREEZE: &str = "guest-fsfreeze-freeze";
const THAW: &str = "guest-fsfreeze-thaw";
/// Enough for a thaw in the background.
const SETTLE: Duration = Duration::from_secs(60);
/// After this a thaw in the background has been given up.
const GIVEN_UP: Duration = Duration::from_secs(700);

fn guest() -> (TestAgent, Guest) {
    let (agent, stream) = TestAgent::in_memory();
    let options = Options::new().timeout(Duration::from_secs(5));
    let client = Client::builder().options(options).build(stream);
    (agent, Guest::new(client))
}

fn is_frozen(error: &GuestError) -> bool {
    matches!(error, GuestError::Frozen { .. }) && error.execution() == Execution::NotRun
}

#[tokio::test(start_paused = true)]
async fn a_thaw_that_comes_before_the_freeze_does_not_let_commands_through() {
    let (agent, guest) = guest();
    let (frozen, thawed) = tokio::join!(guest.freeze(), guest.thaw());
    assert_eq!(thawed.unwrap().thawed, Some(0));
    assert!(agent.guest().frozen);
    let error = guest.execute(GetHostName).await.unwrap_err();
    assert!(is_frozen(&error), "{error}");
    assert!(agent.requests_of("guest-get-host-name").is_empty());
    drop(frozen.unwrap());
    tokio::time::sleep(SETTLE).await;
    assert!(!agent.guest().frozen);
    guest.execute(GetHostName).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_was_thawed_by_somebody_else_does_not_thaw_the_next_freeze() {
    let (agent, guest) = guest();
    let (dropped, thawed) = (guest.freeze().await.unwrap(), guest.clone());
    assert_eq!(thawed.thaw().await.unwrap().thawed, Some(2));
    let stale = guest.freeze().await.unwrap();
    guest.thaw().await.unwrap();
    let frozen = guest.freeze().await.unwrap();
    drop(dropped);
    assert!(!stale.thaw().await.unwrap().is_complete());
    tokio::time::sleep(SETTLE).await;
    assert!(agent.guest().frozen);
    assert!(is_frozen(&guest.execute(GetHostName).await.unwrap_err()));
    assert!(frozen.thaw().await.unwrap().is_complete());
}

#[tokio::test(start_paused = true)]
async fn a_thaw_in_the_background_ends_when_somebody_else_has_thawed() {
    let (agent, guest) = guest();
    agent
        .on(THAW)
        .up_to(5)
        .expect(5)
        .error("GenericError", "no");
    drop(guest.freeze().await.unwrap());
    agent.wait_for(THAW, 2).await;
    guest.thaw().await.unwrap();
    let frozen = guest.freeze().await.unwrap();
    tokio::time::sleep(SETTLE).await;
    assert!(agent.guest().frozen);
    assert!(frozen.thaw().await.unwrap().is_complete());
}

#[tokio::test(start_paused = true)]
async fn a_client_is_of_use_again_after_its_thaw_was_given_up() {
    let (agent, guest) = guest();
    drop(guest.freeze().await.unwrap());
    agent.fault(Fault::no_answer().always());
    tokio::time::sleep(GIVEN_UP).await;
    // As after a reset of the machine.
    agent.reset();
    agent.edit_guest(|guest| guest.frozen = false);
    guest.client().execute(GetHostName).await.unwrap();
    guest.execute(GetHostName).await.unwrap();
    let ((), thawed) = guest.while_frozen(async || ()).await.unwrap();
    assert!(thawed.unwrap().is_complete());
}

#[tokio::test(start_paused = true)]
async fn a_guest_whose_thaw_was_given_up_is_thawed_before_the_next_command() {
    let (agent, guest) = guest();
    drop(guest.freeze().await.unwrap());
    agent.on(THAW).error("GenericError", "no");
    tokio::time::sleep(GIVEN_UP).await;
    let error = guest.execute(GetHostName).await.unwrap_err();
    assert!(matches!(error, GuestError::MaybeFrozen { .. }), "{error}");
    agent.reset();
    assert!(agent.guest().frozen);
    guest.execute(GetHostName).await.unwrap();
    assert!(!agent.guest().frozen);
    let thaws = agent.requests_of(THAW).len();
    guest.execute(GetHostName).await.unwrap();
    assert_eq!(agent.requests_of(THAW).len(), thaws);
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_knows_no_freeze_has_frozen_nothing() {
    let (agent, guest) = guest();
    for command in [FREEZE, THAW, "guest-fsfreeze-status"] {
        agent.disable(command);
    }
    let error = guest.freeze().await.unwrap_err();
    assert!(matches!(error, GuestError::Command(_)), "{error}");
    guest.execute(GetHostName).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_could_not_be_thawed_is_not_frozen() {
    for profile in [Profile::Qemu7_2, Profile::Qemu10_0] {
        let (agent, guest) = guest();
        agent.profile(profile);
        agent.disable(THAW);
        let error = guest.freeze().await.unwrap_err();
        assert_eq!(error.execution(), Execution::NotRun, "{error}");
        assert!(agent.requests_of(FREEZE).is_empty());
        guest.execute(GetHostName).await.unwrap();
    }
    let (agent, stream) = TestAgent::in_memory();
    let client = Client::builder().deny([THAW]).build(stream);
    let error = Guest::new(client).freeze_only(["/"]).await.unwrap_err();
    assert_eq!(error.execution(), Execution::NotRun, "{error}");
    assert!(agent.requests_of("guest-fsfreeze-freeze-list").is_empty());
}
