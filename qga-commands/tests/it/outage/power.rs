//! What becomes of a guest that is told to go.

use std::io;
use std::time::Duration;

use qga_commands::Guest;
use qga_commands::guest::power::{Outcome, Transition};
use qga_core::Execution;
use qga_testserver::{Fault, TestAgent};
use tokio::time::Instant;

use super::{MINUTE, REFUSED, SECOND, SILENT, heals_after, trip_the_pause, with_long_pauses};
use crate::support::faults::{Door, at_every_message, over_a_line};

const SHUTDOWN: &str = "guest-shutdown";

type Way = fn(&Guest) -> Transition;

const WAYS: [Way; 4] = [
    Guest::shutdown,
    Guest::halt,
    Guest::reboot,
    Guest::suspend_ram,
];

fn hangs_up_at_power_commands(agent: &TestAgent, stop: u64) {
    agent.edit_guest(|guest| guest.stop_milliseconds = stop * 1000);
    for command in [SHUTDOWN, "guest-suspend-ram"] {
        agent.on(command).fault(Fault::close_before());
    }
}

#[tokio::test(start_paused = true)]
async fn a_guest_behind_a_silent_proxy_is_not_off() {
    for way in WAYS {
        let (agent, line, guest) = over_a_line().await;
        hangs_up_at_power_commands(&agent, 600);
        line.becomes(SILENT);
        let outcome = way(&guest).timeout(MINUTE).await;
        assert_eq!(outcome.unwrap(), Outcome::Silent);
    }
}

#[tokio::test(start_paused = true)]
async fn a_proxy_that_is_away_for_a_moment_is_no_machine_that_is_off() {
    for door in [REFUSED, Door::HangsUp] {
        let (agent, line, guest) = over_a_line().await;
        hangs_up_at_power_commands(&agent, 600);
        line.becomes(door);
        let shutdown = guest.shutdown().timeout(20 * SECOND).into_future();
        let (outcome, ()) = tokio::join!(shutdown, heals_after(&line, SECOND / 2));
        assert_eq!(outcome.unwrap(), Outcome::StillRunning, "{door:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_failure_of_this_host_is_no_machine_that_is_off() {
    for kind in [io::ErrorKind::PermissionDenied, io::ErrorKind::Other] {
        let (agent, line, guest) = over_a_line().await;
        hangs_up_at_power_commands(&agent, 600);
        line.becomes(Door::Fails(kind));
        let outcome = guest.shutdown().timeout(20 * SECOND).await;
        assert_eq!(outcome.unwrap(), Outcome::Silent, "{kind}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_machine_whose_channel_stays_closed_is_off() {
    for door in [REFUSED, Door::HangsUp, Door::Fails(io::ErrorKind::NotFound)] {
        let (agent, line, guest) = over_a_line().await;
        hangs_up_at_power_commands(&agent, 0);
        line.becomes(door);
        let start = Instant::now();
        assert_eq!(guest.shutdown().await.unwrap(), Outcome::Off, "{door:?}");
        assert!(start.elapsed() < 3 * SECOND);
    }
}

/// The agent's machine closes the connection with the request unread.
#[tokio::test]
async fn a_reset_is_an_error_of_every_power_command() {
    for way in WAYS {
        for sends in [false, true] {
            let agent = TestAgent::listen("tcp:127.0.0.1:0").await.unwrap();
            let guest = Guest::connect(agent.address()).await.unwrap();
            hangs_up_at_power_commands(&agent, 600);
            for command in [SHUTDOWN, "guest-suspend-ram"] {
                agent.on(command).fault(Fault::reset());
            }
            let error = if sends {
                way(&guest).send().await.unwrap_err()
            } else {
                way(&guest).await.unwrap_err()
            };
            assert_eq!(error.execution(), Execution::MaybeRun, "{error}");
            assert!(error.command_error().unwrap().is_closed());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_reboot_is_noticed_through_a_long_pause_of_the_client() {
    let (agent, line, guest) = with_long_pauses().await;
    agent.edit_guest(|guest| guest.reboot_milliseconds = 100);
    hangs_up_at_power_commands(&agent, 1);
    line.becomes(REFUSED);
    let start = Instant::now();
    let (outcome, ()) = tokio::join!(
        guest.reboot().into_future(),
        heals_after(&line, 40 * SECOND)
    );
    assert_eq!(outcome.unwrap(), Outcome::Back);
    assert!(start.elapsed() < 50 * SECOND, "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_long_pause_of_the_client_does_not_keep_a_power_command_from_a_channel_that_is_back() {
    for way in WAYS {
        let (agent, line, guest) = with_long_pauses().await;
        trip_the_pause(&agent, &line, &guest).await;
        let start = Instant::now();
        let error = way(&guest).await.unwrap_err();
        assert_eq!(error.execution(), Execution::NotRun, "{error}");
        assert!(start.elapsed() <= 5 * SECOND);
        line.heals();
        let _ = way(&guest).timeout(SECOND).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn what_becomes_of_a_guest_is_true_whatever_message_is_spoilt() {
    const STOP: Duration = Duration::from_secs(4);
    for (number, way) in WAYS.into_iter().enumerate() {
        at_every_message(
            200 * SECOND,
            |agent| agent.edit_guest(|guest| guest.stop_milliseconds = 4000),
            async |guest| {
                let start = Instant::now();
                let outcome = way(guest).timeout(90 * SECOND).await?;
                Ok((outcome, start.elapsed()))
            },
            |agent, context, result| {
                let sent = agent.requests_of(SHUTDOWN).len()
                    + agent.requests_of("guest-suspend-ram").len();
                let Ok((outcome, took)) = result else {
                    return;
                };
                assert_eq!(sent, 1, "{context}");
                if context.starts_with("restart") && outcome == Outcome::Back {
                    // So it is, though only the agent was started again.
                    return;
                }
                let aims: &[Outcome] = match number {
                    0 => &[Outcome::Off],
                    2 => &[Outcome::Back],
                    _ => &[Outcome::Silent],
                };
                assert!(aims.contains(&outcome), "{context}: {outcome}");
                // An agent that does not answer any more is silent before its guest has stopped.
                let is_early = outcome != Outcome::Silent && took < STOP;
                assert!(!is_early, "{context}: {outcome} after {took:?}");
            },
        )
        .await;
    }
}
