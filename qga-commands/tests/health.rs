//! How a guest fares.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "all of this is a test")]

use std::time::Duration;

use qga_commands::Guest;
use qga_commands::agent::Ping;
use qga_commands::guest::HealthState;
use qga_core::Client;
use qga_testserver::{Fault, TestAgent};

fn guest() -> (TestAgent, Guest) {
    let (agent, stream) = TestAgent::in_memory();
    agent.on("guest-fsfreeze-status").reply("thawed");
    (agent, Guest::new(Client::new(stream)))
}

#[tokio::test(start_paused = true)]
async fn a_guest_that_answers_is_ready_or_frozen() {
    let (agent, guest) = guest();
    assert_eq!(guest.health().await.state, HealthState::Ready);
    agent
        .on("guest-fsfreeze-status")
        .error("CommandNotFound", "no");
    assert_eq!(guest.health().await.state, HealthState::Ready);
    agent.on("guest-fsfreeze-status").reply("frozen");
    assert_eq!(guest.health().await.state, HealthState::Frozen);
    agent.disable("guest-ping");
    assert!(guest.health().await.cause.is_some());
}

#[tokio::test(start_paused = true)]
async fn a_silent_guest_is_starting_until_it_has_answered_once() {
    let (agent, guest) = guest();
    agent.fault(Fault::delay(Duration::from_secs(10)));
    let health = guest.health().await;
    assert_eq!(health.state, HealthState::Starting);
    assert!(health.cause.unwrap().is_timeout());
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(guest.health().await.state, HealthState::Ready);
    agent.fault(Fault::hang());
    assert_eq!(guest.health().await.state, HealthState::Busy);
}

#[tokio::test(start_paused = true)]
async fn a_guest_with_a_long_command_before_it_is_busy() {
    let (agent, guest) = guest();
    agent
        .on("guest-get-host-name")
        .fault(Fault::delay(Duration::from_secs(9)));
    let long = guest.execute(qga_commands::os::GetHostName);
    let (done, health) = tokio::join!(long, guest.health());
    done.unwrap();
    assert_eq!(health.state, HealthState::Busy);
    guest.execute(Ping).await.unwrap();
}

#[tokio::test]
async fn a_guest_whose_socket_is_gone_is_absent() {
    let agent = TestAgent::start().await;
    let guest = Guest::connect(agent.address()).await.unwrap();
    drop(agent);
    for _ in 0..4 {
        assert_eq!(guest.health().await.state, HealthState::Absent);
    }
}
