//! Operations through a client, or with an agent, that does not let every command pass.

use std::time::Duration;

use qga_commands::guest::HealthState;
use qga_commands::guest::power::Outcome;
use qga_commands::guest::ready::Ready;
use qga_commands::{Guest, policy};
use qga_core::{Client, ClientBuilder};
use qga_testserver::TestAgent;

fn guest(builder: ClientBuilder) -> (TestAgent, Guest) {
    let (agent, stream) = TestAgent::in_memory();
    (agent, Guest::new(builder.build(stream)))
}

#[tokio::test(start_paused = true)]
async fn a_client_that_may_not_open_files_can_shut_down_and_reboot() {
    let (agent, guest) = guest(Client::builder().deny(policy::no_exec()));
    let outcome = guest.reboot().timeout(Duration::from_secs(1)).await;
    assert_ne!(outcome.unwrap(), Outcome::Off);
    assert_eq!(agent.requests_of("guest-shutdown").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_may_only_ping_sees_a_guest_that_is_ready() {
    let (_agent, guest) = guest(Client::builder().allow(["guest-ping"]));
    assert_eq!(guest.health().await.state, HealthState::Ready);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_may_only_freeze_and_thaw_does_so() {
    let (agent, guest) = guest(Client::builder().allow([
        "guest-fsfreeze-freeze",
        "guest-fsfreeze-status",
        "guest-fsfreeze-thaw",
    ]));
    let (frozen, thawed) = guest
        .while_frozen(async || agent.guest().frozen)
        .await
        .unwrap();
    assert!(frozen && thawed.unwrap().is_complete());
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_refuses_pings_is_there_all_the_same() {
    let (agent, guest) = guest(Client::builder());
    agent.disable("guest-ping");
    guest.wait_ready(&Ready::ping()).await.unwrap();
    guest.sync_time().await.unwrap();
    let outcome = guest.shutdown().timeout(Duration::from_secs(1)).await;
    assert!(outcome.is_ok(), "{outcome:?}");
}
