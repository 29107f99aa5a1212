//! How a guest fares.

#![cfg(unix)]

use std::time::Duration;

use qga_commands::Guest;
use qga_commands::commands::agent::Ping;
use qga_commands::guest::{Health, HealthState};
use qga_core::Client;
use qga_testserver::{Fault, TestAgent};

use crate::support;

fn guest() -> (TestAgent, Guest) {
    let (agent, stream) = TestAgent::in_memory();
    (agent, Guest::new(Client::new(stream)))
}

/// Asks again, not for what is known already.
async fn health_later(guest: &Guest) -> Health {
    tokio::time::sleep(Duration::from_millis(1001)).await;
    guest.health().await
}

fn questions(agent: &TestAgent) -> usize {
    agent.requests_of("guest-ping").len() + agent.requests_of("guest-fsfreeze-status").len()
}

#[tokio::test(start_paused = true)]
async fn a_guest_that_answers_is_ready_or_frozen() {
    let (agent, guest) = guest();
    assert_eq!(guest.health().await.state, HealthState::Ready);
    agent.edit_guest(|guest| guest.frozen = true);
    assert_eq!(health_later(&guest).await.state, HealthState::Frozen);
    agent.edit_guest(|guest| guest.frozen = false);
    agent.disable("guest-fsfreeze-status");
    assert_eq!(health_later(&guest).await.state, HealthState::Ready);
    agent.disable("guest-ping");
    let health = health_later(&guest).await;
    assert_eq!(health.state, HealthState::Ready);
    assert!(health.cause.unwrap().is_command_not_found());
}

#[tokio::test(start_paused = true)]
async fn a_freeze_by_this_client_shows_at_once() {
    let (_agent, guest) = guest();
    assert_eq!(guest.health().await.state, HealthState::Ready);
    let frozen = guest.freeze().await.unwrap();
    assert_eq!(guest.health().await.state, HealthState::Frozen);
    frozen.thaw().await.unwrap();
    assert_eq!(guest.health().await.state, HealthState::Ready);
}

#[tokio::test(start_paused = true)]
async fn the_deadline_of_one_handle_is_no_answer_for_others() {
    let (agent, guest) = guest();
    for has_passed in [true, false] {
        let time = if has_passed {
            Duration::ZERO
        } else {
            agent.on("guest-ping").up_to(1).fault(Fault::no_answer());
            Duration::from_millis(100)
        };
        let health = guest.within(time).health().await;
        assert_eq!(health.state, HealthState::Unknown, "{has_passed}");
        assert!(health.cause.unwrap().is_deadline());
        assert_eq!(guest.health().await.state, HealthState::Ready);
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
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
    assert_eq!(health_later(&guest).await.state, HealthState::Busy);
}

#[tokio::test(start_paused = true)]
async fn a_guest_with_a_long_command_before_it_is_busy() {
    let (agent, guest) = guest();
    agent
        .on("guest-get-host-name")
        .fault(Fault::delay(Duration::from_secs(9)));
    let long = guest.execute(qga_commands::commands::os::GetHostName);
    let (done, health) = tokio::join!(long, guest.health());
    done.unwrap();
    assert_eq!(health.state, HealthState::Busy);
    guest.execute(Ping).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_given_again_for_a_second() {
    let (agent, guest) = guest();
    for _ in 0..1000 {
        guest.clone().health().await;
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let questions = questions(&agent);
    assert!((18..=20).contains(&questions), "{questions} in ten seconds");
}

#[tokio::test(start_paused = true)]
async fn who_asks_at_the_same_time_shares_one_question() {
    let (agent, guest) = guest();
    agent
        .on("guest-ping")
        .fault(Fault::delay(Duration::from_secs(1)));
    let asking: Vec<_> = (0..50)
        .map(|_| {
            let guest = guest.clone();
            tokio::spawn(async move { guest.health().await.state })
        })
        .collect();
    for asked in asking {
        assert_eq!(asked.await.unwrap(), HealthState::Ready);
    }
    assert_eq!(questions(&agent), 2);
}

#[tokio::test(start_paused = true)]
async fn a_question_that_is_dropped_is_asked_by_the_next() {
    for polls in 1..10 {
        let (_agent, guest) = guest();
        let _ = support::poll_times(guest.health(), polls).await;
        assert_eq!(guest.health().await.state, HealthState::Ready, "{polls}");
    }
}

#[tokio::test(start_paused = true)]
async fn it_ends_in_seconds_and_in_few_questions_whatever_goes_wrong() {
    for (name, fault) in support::faults::faults() {
        for message in 1..4 {
            let (agent, guest) = support::faults::reconnecting().await;
            agent.fault(fault.clone().on_reply(message));
            let start = tokio::time::Instant::now();
            let health = guest.health().await;
            let took = start.elapsed();
            assert!(took < Duration::from_secs(5), "{name}: {took:?}");
            // Two, and the one whose answer was spoilt again.
            assert!(questions(&agent) <= 3, "{name}");
            let well = health.state == HealthState::Ready;
            assert_eq!(well, health.cause.is_none(), "{name}: {health:?}");
        }
    }
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
