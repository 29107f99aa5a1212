//! Shutting a guest down and putting it to sleep.

use std::time::Duration;

use qga_commands::commands::os::GetHostName;
use qga_commands::guest::power::Outcome;
use qga_commands::{Guest, GuestError};
use qga_core::{Client, Execution, MachineState, NoReply, Options, Power};
use qga_testserver::{Fault, Profile, TestAgent};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::support::faults::reconnecting;

use crate::support;

const SHUTDOWN: &str = "guest-shutdown";

/// A guest whose channel cannot be opened again.
fn guest() -> (TestAgent, Guest) {
    let (agent, stream) = TestAgent::in_memory();
    let options = Options::new().timeout(Duration::from_secs(5));
    let client = Client::builder().options(options).build(stream);
    (agent, Guest::new(client))
}

/// As while services stop.
fn stops_in(agent: &TestAgent, seconds: u64) {
    agent.edit_guest(|guest| guest.stop_milliseconds = seconds * 1000);
}

fn modes(agent: &TestAgent) -> Vec<serde_json::Value> {
    let requests = agent.requests_of(SHUTDOWN).into_iter();
    requests
        .map(|request| request.arguments["mode"].clone())
        .collect()
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_ends_when_the_channel_closes() {
    for seconds in [0, 30] {
        let start = Instant::now();
        let (agent, guest) = guest();
        stops_in(&agent, seconds);
        assert_eq!(guest.shutdown().await.unwrap(), Outcome::Off);
        let (agent, guest) = reconnecting().await;
        stops_in(&agent, seconds);
        assert_eq!(guest.shutdown().await.unwrap(), Outcome::Off);
        assert_eq!(modes(&agent), ["powerdown"]);
        let longest = Duration::from_secs(2 * seconds + 5);
        assert!(start.elapsed() < longest, "{:?}", start.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_that_does_not_come_to_its_end_is_told_when_its_time_is_up() {
    let start = Instant::now();
    let (agent, guest) = guest();
    stops_in(&agent, 1000);
    let outcome = guest.shutdown().timeout(Duration::from_secs(40)).await;
    assert_eq!(outcome.unwrap(), Outcome::StillRunning);
    let took = start.elapsed().as_secs();
    assert!((40..44).contains(&took), "{took}");
    // It was asked politely.
    assert!(agent.requests().len() < 50);

    let (agent, guest) = reconnecting().await;
    agent
        .on(SHUTDOWN)
        .with_fault(Fault::hang())
        .reply(serde_json::Value::Null);
    let outcome = guest.shutdown().timeout(Duration::from_secs(40)).await;
    assert_eq!(outcome.unwrap(), Outcome::Silent);
    assert_eq!(agent.requests_of(SHUTDOWN).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_channel_that_closes_and_comes_back_is_no_shutdown() {
    let (agent, guest) = reconnecting().await;
    stops_in(&agent, 60);
    agent.on(SHUTDOWN).fault(Fault::close_before());
    let outcome = guest.shutdown().timeout(Duration::from_secs(20)).await;
    assert_eq!(outcome.unwrap(), Outcome::StillRunning);
}

#[tokio::test(start_paused = true)]
async fn a_reboot_ends_when_a_new_agent_answers_and_not_before() {
    for (stop, boot) in [(0, 3400), (0, 30_000), (20, 3400), (20, 100), (20, 60_000)] {
        let (agent, guest) = guest();
        agent.edit_guest(|guest| guest.reboot_milliseconds = boot);
        stops_in(&agent, stop);
        let start = Instant::now();
        assert_eq!(guest.reboot().await.unwrap(), Outcome::Back);
        let took = u64::try_from(start.elapsed().as_millis()).unwrap();
        let least = stop * 1000 + boot;
        assert!(
            (least..least + 15_000).contains(&took),
            "{stop} {boot}: {took}"
        );
        assert_eq!(modes(&agent), ["reboot"]);
        // The file that went with the old agent is not closed in the new one.
        guest.execute(GetHostName).await.unwrap();
        assert!(agent.requests_of("guest-file-close").is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn a_reboot_is_known_by_its_silence_where_no_file_can_be_opened() {
    for boot in [3400, 30_000] {
        let (agent, guest) = guest();
        agent.profile(Profile::Rhel9);
        agent.edit_guest(|guest| guest.reboot_milliseconds = boot);
        stops_in(&agent, 20);
        let start = Instant::now();
        assert_eq!(guest.reboot().await.unwrap(), Outcome::Back);
        let took = u64::try_from(start.elapsed().as_millis()).unwrap();
        assert!(took >= 20_000 + boot, "{boot}: {took}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_reboot_over_a_channel_that_closes_is_waited_for() {
    let (agent, guest) = reconnecting().await;
    agent.on(SHUTDOWN).fault(Fault::close_before());
    stops_in(&agent, 10);
    assert_eq!(guest.reboot().await.unwrap(), Outcome::Back);
}

#[tokio::test(start_paused = true)]
async fn a_reboot_that_does_not_happen_is_told_and_its_file_is_closed() {
    let (agent, guest) = guest();
    stops_in(&agent, 1000);
    let outcome = guest.reboot().timeout(Duration::from_secs(30)).await;
    assert_eq!(outcome.unwrap(), Outcome::StillRunning);
    guest.execute(GetHostName).await.unwrap();
    let closed = support::requests_of(&agent, "guest-file-close");
    assert_eq!(closed.len(), 1);
    assert!(agent.open_handles().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_halt_and_a_suspend_end_in_silence() {
    for seconds in [0, 20] {
        for way in [Guest::halt, Guest::suspend_ram, Guest::suspend_hybrid] {
            let (agent, guest) = guest();
            stops_in(&agent, seconds);
            let start = Instant::now();
            assert_eq!(way(&guest).await.unwrap(), Outcome::Silent);
            let took = start.elapsed().as_secs();
            assert!((seconds..seconds + 10).contains(&took), "{took}");
            agent.wake();
            guest.execute(GetHostName).await.unwrap();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_question_that_the_end_of_the_time_cut_off_is_no_silence() {
    for milliseconds in (8000..12_000).step_by(50) {
        let (agent, guest) = guest();
        agent.fault(Fault::delay(Duration::from_millis(300)).always());
        stops_in(&agent, 1000);
        let halt = guest.halt().timeout(Duration::from_millis(milliseconds));
        assert_eq!(halt.await.unwrap(), Outcome::StillRunning, "{milliseconds}");
        let guest = guest.within(Duration::from_millis(milliseconds));
        let halt = guest.halt().await;
        assert_eq!(halt.unwrap(), Outcome::StillRunning, "{milliseconds}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_guest_that_wakes_at_once_is_still_running() {
    for profile in [Profile::Qemu10_0, Profile::Rhel9] {
        let (agent, guest) = guest();
        agent.profile(profile);
        let suspend = guest.suspend_ram().timeout(Duration::from_secs(30));
        let (outcome, ()) = tokio::join!(suspend.into_future(), async {
            tokio::time::sleep(Duration::from_secs(4)).await;
            agent.wake();
        });
        assert_eq!(outcome.unwrap(), Outcome::StillRunning);
    }
}

#[tokio::test(start_paused = true)]
async fn a_guest_that_is_saved_to_disk_is_off() {
    let (agent, guest) = guest();
    agent
        .on("guest-suspend-disk")
        .with_fault(Fault::close_before())
        .reply(serde_json::Value::Null);
    assert_eq!(guest.suspend_disk().await.unwrap(), Outcome::Off);
}

#[tokio::test(start_paused = true)]
async fn that_a_command_was_sent_is_known_without_its_outcome() {
    for within in [false, true] {
        let (agent, guest) = guest();
        let start = Instant::now();
        if within {
            let outcome = guest.reboot().timeout(Duration::ZERO).await;
            assert_eq!(outcome.unwrap(), Outcome::Silent);
        } else {
            assert_eq!(guest.reboot().send().await.unwrap(), NoReply::Silent);
        }
        assert_eq!(agent.requests_of(SHUTDOWN).len(), 1);
        assert!(start.elapsed() <= Duration::from_secs(2));
    }
    let (_agent, guest) = guest();
    assert_eq!(guest.shutdown().send().await.unwrap(), NoReply::Closed);
    let (_agent, guest) = self::guest();
    let outcome = guest.shutdown().timeout(Duration::MAX).await;
    assert_eq!(outcome.unwrap(), Outcome::Off);
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_that_fails_is_an_error() {
    let (agent, guest) = guest();
    agent
        .on(SHUTDOWN)
        .error("GenericError", "child process has failed");
    let error = guest.shutdown().await.unwrap_err();
    assert!(error.command_error().unwrap().agent_error().is_some());
    guest.execute(GetHostName).await.unwrap();
    assert_eq!(agent.requests_of("guest-file-close").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_is_not_there_is_sent_nothing() {
    for fault in [Fault::hang(), Fault::no_answer(), Fault::close_before()] {
        let (agent, guest) = guest();
        agent.on("guest-ping").fault(fault);
        guest.shutdown().await.unwrap_err();
        assert!(agent.requests_of(SHUTDOWN).is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn a_frozen_guest_is_not_shut_down() {
    let (agent, guest) = guest();
    let frozen = guest.freeze().await.unwrap();
    let error = guest.shutdown().await.unwrap_err();
    assert!(matches!(error, GuestError::Frozen { .. }), "{error}");
    assert_eq!(error.execution(), Execution::NotRun);
    frozen.thaw().await.unwrap();
    assert!(agent.requests_of(SHUTDOWN).is_empty());
}

#[tokio::test(start_paused = true)]
async fn any_fault_at_any_message_sends_the_command_at_most_once() {
    for way in [Guest::shutdown, Guest::reboot, Guest::suspend_ram] {
        support::faults::at_every_message(
            Duration::from_secs(100),
            |agent| stops_in(agent, 4),
            async |guest| {
                let outcome = way(guest).timeout(Duration::from_secs(40)).await;
                // A client that found nobody rests for a moment, and a guest whose agent was started anew
                // may still be on its way.
                tokio::time::sleep(Duration::from_secs(3)).await;
                outcome
            },
            |agent, context, result| {
                let sent = agent.requests_of(SHUTDOWN).len()
                    + agent.requests_of("guest-suspend-ram").len();
                assert!(sent <= 1, "{context}");
                // Where nothing was sent, nobody may believe that something was.
                assert!(sent == 1 || result.is_err(), "{context}");
                if let Ok(outcome) = result {
                    assert_ne!(outcome, Outcome::StillRunning, "{context}");
                }
                agent.wake();
            },
        )
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_drop_at_any_point_sends_the_command_at_most_once() {
    for way in [Guest::shutdown, Guest::reboot, Guest::suspend_ram] {
        support::faults::dropped_at_every_poll(
            Duration::from_secs(10),
            |agent| stops_in(agent, 1),
            async |guest| way(guest).timeout(Duration::from_secs(20)).await,
            async |agent, _, context| {
                let sent = agent.requests_of(SHUTDOWN).len()
                    + agent.requests_of("guest-suspend-ram").len();
                assert!(sent <= 1, "{context}");
                agent.wake();
            },
        )
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_timeout_for_an_outcome_that_is_not_waited_for_is_an_error_and_nothing_is_sent() {
    let (agent, guest) = guest();
    let shutdown = guest.shutdown().timeout(Duration::from_secs(1));
    let error = shutdown.send().await.unwrap_err();
    assert!(matches!(error, GuestError::InvalidInput(_)), "{error}");
    assert_eq!(agent.requests_of(SHUTDOWN).len(), 0);
}

/// A guest whose channel tells nothing: a proxy holds it open, whatever becomes of the machine.
fn guest_of_a_told_machine() -> (TestAgent, Guest, watch::Sender<MachineState>) {
    let (agent, stream) = TestAgent::in_memory();
    let (events, machine) = watch::channel(MachineState::new());
    let client = Client::builder().machine(&machine).build(stream);
    (agent, Guest::new(client), events)
}

#[tokio::test(start_paused = true)]
async fn what_the_host_tells_of_the_machine_ends_the_wait_at_once() {
    let cases = [
        (Power::Off, Outcome::Off),
        (Power::Panicked, Outcome::Panicked),
        (Power::Suspended, Outcome::Suspended),
    ];
    for (power, expected) in cases {
        let (agent, guest, events) = guest_of_a_told_machine();
        let told = tokio::spawn(async move {
            tokio::time::sleep(Duration::from_secs(1)).await;
            events.send_modify(|state| state.power = power);
            (Instant::now(), events)
        });
        stops_in(&agent, 1000);
        let outcome = match power {
            Power::Suspended => guest.suspend_ram().await,
            _ => guest.shutdown().await,
        };
        assert_eq!(outcome.unwrap(), expected);
        let (at, _events) = told.await.unwrap();
        assert!(at.elapsed() < Duration::from_secs(6), "{:?}", at.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_host_told_before_may_have_been_late() {
    let (agent, guest, events) = guest_of_a_told_machine();
    events.send_modify(|state| state.power = Power::Off);
    stops_in(&agent, 1000);
    let outcome = guest.shutdown().timeout(Duration::from_secs(40)).await;
    assert_eq!(outcome.unwrap(), Outcome::StillRunning);
}

#[tokio::test(start_paused = true)]
async fn the_last_that_a_source_told_counts_although_it_has_ended() {
    let (agent, guest, events) = guest_of_a_told_machine();
    stops_in(&agent, 1000);
    tokio::spawn(async move {
        // While the command waits for an error.
        tokio::time::sleep(Duration::from_secs(1)).await;
        events.send_modify(|state| state.power = Power::Off);
    });
    let outcome = guest.shutdown().timeout(Duration::from_secs(40)).await;
    assert_eq!(outcome.unwrap(), Outcome::Off);
}

#[tokio::test(start_paused = true)]
async fn a_reset_that_is_told_late_is_no_proof_while_the_old_agent_answers() {
    let (agent, guest, events) = guest_of_a_told_machine();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(1)).await;
        events.send_modify(|state| state.resets += 1);
        std::future::pending::<()>().await;
    });
    stops_in(&agent, 20);
    let start = Instant::now();
    assert_eq!(guest.reboot().await.unwrap(), Outcome::Back);
    assert!(start.elapsed() > Duration::from_secs(20));
}

#[tokio::test(start_paused = true)]
async fn a_source_that_never_rests_makes_nobody_ask_without_rest() {
    let (agent, guest, events) = guest_of_a_told_machine();
    let telling = tokio::spawn(async move {
        for power in [Power::Paused, Power::Running].into_iter().cycle() {
            tokio::time::sleep(Duration::from_millis(1)).await;
            events.send_modify(|state| state.power = power);
        }
    });
    stops_in(&agent, 1000);
    let outcome = guest.shutdown().timeout(Duration::from_secs(40)).await;
    assert_eq!(outcome.unwrap(), Outcome::StillRunning);
    let asked = agent.requests().len();
    assert!(asked < 1000, "{asked}");
    telling.abort();
}

/// What the host of a fake guest sees, as a client is told.
fn machine_of(agent: &TestAgent) -> watch::Receiver<MachineState> {
    let mut views = agent.machine();
    let (events, machine) = watch::channel(MachineState::new());
    tokio::spawn(async move {
        while views.changed().await.is_ok() {
            let view = *views.borrow_and_update();
            events.send_modify(|state| {
                state.port_is_open = Some(view.port_is_open);
                state.resets = view.resets;
                state.power = match view.power {
                    qga_testserver::Power::On | qga_testserver::Power::Halted => Power::Running,
                    qga_testserver::Power::Suspended => Power::Suspended,
                    qga_testserver::Power::Paused => Power::Paused,
                    _ => Power::Off,
                };
            });
        }
    });
    machine
}

#[tokio::test(start_paused = true)]
async fn a_reset_that_the_host_tells_of_proves_a_reboot_that_nothing_else_shows() {
    for is_told in [true, false] {
        let (agent, stream) = TestAgent::in_memory();
        let machine = machine_of(&agent);
        let builder = Client::builder();
        let builder = if is_told {
            builder.machine(&machine)
        } else {
            builder
        };
        let guest = Guest::new(builder.build(stream));
        agent.disable("guest-file-open");
        agent.edit_guest(|guest| guest.reboot_milliseconds = 100);
        let outcome = guest.reboot().timeout(Duration::from_secs(40)).await;
        let expected = if is_told {
            Outcome::Back
        } else {
            Outcome::StillRunning
        };
        assert_eq!(outcome.unwrap(), expected);
    }
}
