//! A command that waits for the agent of a machine that does not run ends before its time.

use std::thread::sleep;
use std::time::Duration;

use crate::support::{PATIENT, Peer, Ping, Place, Shutdown, both, echo, pair_with};
use qga_core::blocking::Client;
use qga_core::{Execution, MachineState, NoReply, Options, Power, Stage};
use tokio::sync::watch;

/// So patient that a machine is not waited for in vain.
const BRIEFLY: Options = PATIENT.machine_timeout(Duration::from_millis(100));

fn told(options: Options) -> (Client, Peer, watch::Sender<MachineState>) {
    let (events, machine) = watch::channel(MachineState::new());
    let (client, mut peer) = pair_with(|builder| builder.machine(&machine).options(options));
    both(|| client.execute(Ping).unwrap(), || peer.sync_and_answer());
    (client, peer, events)
}

fn becomes(events: &watch::Sender<MachineState>, power: Power) {
    events.send_modify(|state| state.power = power);
}

#[test]
fn what_waits_for_an_answer_ends_when_the_machine_has_stopped_and_says_which_way() {
    for power in [
        Power::Off,
        Power::Panicked,
        Power::Suspended,
        Power::Paused,
        Power::Stalled,
    ] {
        let (client, mut peer, events) = told(BRIEFLY);
        let script = || {
            peer.request();
            becomes(&events, power);
        };
        let (error, ()) = both(|| client.execute(echo("x")).unwrap_err(), script);
        assert_eq!(error.machine_stopped(), Some(power), "{error}");
        assert_eq!(error.execution(), Execution::MaybeRun);
        assert_eq!(error.stage(), Stage::Receive);
    }
}

#[test]
fn what_was_not_sent_has_not_run() {
    let (events, machine) = watch::channel(MachineState::new());
    becomes(&events, Power::Stalled);
    let (client, _peer) = pair_with(|builder| builder.machine(&machine).options(BRIEFLY));
    for error in [
        client.execute(Ping).unwrap_err(),
        client.sync().unwrap_err(),
    ] {
        assert_eq!(error.machine_stopped(), Some(Power::Stalled));
        assert_eq!(error.execution(), Execution::NotRun);
        assert_eq!(error.stage(), Stage::Sync);
    }
}

#[test]
fn an_answer_counts_whatever_the_machine_is() {
    let (client, mut peer, events) = told(BRIEFLY.machine_timeout(Duration::ZERO));
    becomes(&events, Power::Paused);
    let (answer, ()) = both(|| client.execute(echo("x")), || drop(peer.answer_echo()));
    assert_eq!(answer.unwrap(), "x");
}

#[test]
fn what_hopes_for_silence_is_no_failure_when_the_machine_stops() {
    let (client, mut peer, events) = told(BRIEFLY.grace(Duration::from_millis(400)));
    becomes(&events, Power::Suspended);
    let script = || drop(peer.request());
    let (silent, ()) = both(|| client.execute(Shutdown), script);
    assert_eq!(silent.unwrap(), NoReply::Silent);
}

#[test]
fn a_machine_that_runs_or_is_not_heeded_ends_nothing() {
    for (power, options) in [
        (Power::Running, BRIEFLY),
        (Power::Unknown, BRIEFLY),
        (Power::Paused, PATIENT.machine_timeout(Duration::MAX)),
    ] {
        let (client, mut peer, events) = told(options);
        becomes(&events, power);
        let script = || {
            sleep(Duration::from_millis(400));
            peer.answer_echo();
        };
        let (answer, ()) = both(|| client.execute(echo("x")), script);
        assert_eq!(answer.unwrap(), "x");
    }
}

#[test]
fn a_pipeline_ends_too() {
    let (client, mut peer, events) = told(BRIEFLY);
    becomes(&events, Power::Panicked);
    let script = || drop(peer.request());
    let ask = || client.pipeline((0..3).map(echo)).collect::<Vec<_>>();
    let (results, ()) = both(ask, script);
    let first = results[0].as_ref().unwrap_err();
    assert_eq!(first.machine_stopped(), Some(Power::Panicked));
    assert!(results.iter().all(Result::is_err));
}

#[test]
fn who_waits_for_the_channel_does_not_wait_for_a_machine_that_is_off() {
    let place = Place::new();
    let (events, machine) = watch::channel(MachineState::new());
    becomes(&events, Power::Off);
    let builder = Client::builder().machine(&machine);
    let builder = builder.options(BRIEFLY.wait_for_channel(true));
    let client = builder.connect_lazy(&place.path).unwrap();
    for error in [
        client.execute(Ping).unwrap_err(),
        client.sync().unwrap_err(),
        client.pipeline([Ping]).next().unwrap().unwrap_err(),
    ] {
        assert_eq!(error.machine_stopped(), Some(Power::Off), "{error}");
        assert_eq!(error.execution(), Execution::NotRun);
    }
}
