//! How a guest fares.

use std::io;

use qga_commands::Guest;
use qga_commands::commands::os::GetHostName;
use qga_commands::guest::HealthState;
use qga_core::{Client, Options, RetryClass};
use qga_testserver::{Fault, TestAgent};
use tokio::time::sleep;

use super::{REFUSED, SECOND, SILENT};
use crate::support::faults::{Door, lose, over_a_line, trouble_at_every_message, troubles};

/// Asks again, not for what is known already.
pub(super) async fn state_later(guest: &Guest) -> HealthState {
    sleep(1001 * SECOND / 1000).await;
    guest.health().await.state
}

#[tokio::test(start_paused = true)]
async fn a_guest_that_hangs_up_and_is_silent_then_is_never_absent() {
    let (agent, line, guest) = over_a_line().await;
    assert_eq!(guest.health().await.state, HealthState::Ready);
    lose(&agent, &line, &guest, SILENT).await;
    for asked in 0..20 {
        // Other tasks have time enough to start a pause.
        let failed = guest.execute(GetHostName).await.unwrap_err();
        assert!(failed.command_error().unwrap().is_timeout());
        assert_eq!(state_later(&guest).await, HealthState::Busy, "{asked}");
        let cause = guest.health().await.cause.unwrap();
        assert_eq!(cause.stage(), qga_core::Stage::Sync, "{cause}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_guests_health_is_by_what_its_channel_shows() {
    let door = |kind| Door::Fails(kind);
    for (door, state) in [
        (REFUSED, HealthState::Absent),
        (door(io::ErrorKind::NotFound), HealthState::Absent),
        (Door::HangsUp, HealthState::Absent),
        (door(io::ErrorKind::WouldBlock), HealthState::Busy),
        (door(io::ErrorKind::TimedOut), HealthState::Busy),
        (door(io::ErrorKind::PermissionDenied), HealthState::Unknown),
        (door(io::ErrorKind::Other), HealthState::Unknown),
    ] {
        let (agent, line, guest) = over_a_line().await;
        assert_eq!(guest.health().await.state, HealthState::Ready);
        lose(&agent, &line, &guest, door).await;
        // Also while the client pauses.
        for _ in 0..4 {
            assert_eq!(state_later(&guest).await, state, "{door:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_channel_that_is_lost_once_is_opened_again_to_ask() {
    let never = Options::new().retry(RetryClass::Never);
    for fault in [Fault::close_before(), Fault::close_within(5)] {
        let (agent, _, guest) = over_a_line().await;
        agent.fault(fault);
        let guest = Guest::new(guest.client().with_options(never));
        assert_eq!(guest.health().await.state, HealthState::Ready);
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_may_not_ask_synchronizes_to_see_how_a_guest_fares() {
    for silent in [false, true] {
        let (agent, stream) = TestAgent::in_memory();
        let client = Client::builder().allow::<&str>([]).build(stream);
        if silent {
            agent.fault(Fault::hang());
        }
        let health = Guest::new(client).health().await;
        let state = if silent {
            HealthState::Starting
        } else {
            HealthState::Ready
        };
        assert_eq!((health.state, health.cause.is_some()), (state, silent));
    }
}

#[tokio::test(start_paused = true)]
async fn questions_for_health_keep_nobody_from_a_channel_that_is_back() {
    let (agent, line, guest) = over_a_line().await;
    lose(&agent, &line, &guest, SILENT).await;
    for _ in 0..20 {
        assert_ne!(state_later(&guest).await, HealthState::Absent);
    }
    line.heals();
    guest.execute(GetHostName).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_guest_is_neither_absent_nor_unknown_whatever_message_is_spoilt() {
    for (name, trouble) in troubles() {
        let ask = async |guest: &Guest| Ok(guest.health().await);
        trouble_at_every_message(
            name,
            &trouble,
            5 * SECOND,
            |_| {},
            ask,
            |_, context, health| {
                let state = health.unwrap().state;
                let is_wrong = matches!(state, HealthState::Absent | HealthState::Unknown);
                assert!(!is_wrong, "{context}: {state}");
            },
        )
        .await;
    }
}
