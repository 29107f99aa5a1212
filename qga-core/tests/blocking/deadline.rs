//! One deadline for several commands.

use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use crate::support::{BRIEF, PATIENT, Ping, Place, both, echo, pair, synced_pair};
use qga_core::blocking::Client;
use qga_core::{ErrorKind, Execution, Options, Stage};

const SHORT: Duration = Duration::from_millis(200);

#[test]
fn commands_share_a_deadline_and_the_one_that_hangs_is_named() {
    let (client, mut peer) = synced_pair();
    let limited = client.within(SHORT);
    let script = || {
        peer.answer_echo();
        peer.request();
    };
    let commands = || {
        limited.execute(echo("first")).unwrap();
        limited.execute(Ping).unwrap_err()
    };
    let (error, ()) = both(commands, script);
    assert!(error.is_timeout() && error.is_deadline(), "{error:?}");
    assert_eq!(error.command(), Some("guest-ping"));
    assert_eq!(
        (error.stage(), error.execution()),
        (Stage::Receive, Execution::MaybeRun)
    );
}

#[test]
fn the_commands_own_timeout_stays_its_own_and_a_deadline_never_lengthens() {
    let (client, _peer) = synced_pair();
    let limited = client.with_options(BRIEF).within(Duration::from_secs(60));
    let error = limited.execute(Ping).unwrap_err();
    assert!(error.is_timeout() && !error.is_deadline(), "{error:?}");
    let outer = client.within(SHORT);
    let inner = outer.within(Duration::from_secs(60));
    assert_eq!(outer.deadline(), inner.deadline());
    assert!(inner.execute(Ping).unwrap_err().is_deadline());
    let free = outer.with_options(BRIEF.deadline(None));
    assert!(!free.execute(Ping).unwrap_err().is_deadline());
}

#[test]
fn after_the_deadline_nothing_is_sent() {
    let (client, mut peer) = synced_pair();
    let late = [
        client.within(Duration::ZERO),
        client.with_options(PATIENT.deadline(Instant::now())),
    ];
    for limited in late {
        let error = limited.execute(Ping).unwrap_err();
        assert!(error.is_deadline(), "{error:?}");
        assert_eq!(error.execution(), Execution::NotRun);
        let error = limited.pipeline([Ping, Ping]).next().unwrap().unwrap_err();
        assert!(error.is_deadline(), "{error:?}");
        assert!(limited.sync().unwrap_err().is_deadline());
    }
    assert!(peer.hears_nothing());
    let (answer, _) = both(|| client.execute(echo("on")), || peer.answer_echo());
    assert_eq!(answer.unwrap(), "on");
}

#[test]
fn waiting_for_another_thread_counts_and_nothing_is_sent() {
    let (client, mut peer) = synced_pair();
    thread::scope(|scope| {
        let slow = scope.spawn(|| client.execute(echo("slow")));
        let request = peer.request();
        let error = client.with_options(BRIEF).execute(Ping).unwrap_err();
        assert!(error.is_timeout(), "{error:?}");
        assert_eq!(
            (error.stage(), error.execution()),
            (Stage::Queue, Execution::NotRun)
        );
        let error = client.within(SHORT).execute(Ping).unwrap_err();
        assert!(error.is_deadline(), "{error:?}");
        assert_eq!(error.stage(), Stage::Queue);
        assert!(peer.hears_nothing());
        peer.send(crate::support::echo_reply(&request));
        assert_eq!(slow.join().unwrap().unwrap(), "slow");
    });
    // Who has left the queue does not hold it up.
    let (answer, _) = both(|| client.execute(echo("next")), || peer.answer_echo());
    assert_eq!(answer.unwrap(), "next");
}

#[test]
fn the_results_of_a_pipeline_share_a_deadline() {
    let (client, mut peer) = synced_pair();
    let limited = client.within(SHORT);
    let script = || {
        peer.answer_echo();
        peer
    };
    let results = || limited.pipeline((0..9).map(echo)).collect::<Vec<_>>();
    let (results, _peer) = both(results, script);
    assert_eq!(results[0].as_ref().unwrap(), "0");
    let error = results[1].as_ref().unwrap_err();
    assert!(error.is_deadline(), "{error:?}");
}

#[test]
fn connecting_counts_from_when_it_begins() {
    let place = Place::new();
    let _listener = place.listen();
    let error = Client::builder()
        .within(SHORT)
        .connect(&place.path)
        .unwrap_err();
    assert!(error.is_deadline(), "{error:?}");
    let client = Client::builder()
        .within(SHORT)
        .connect_lazy(&place.path)
        .unwrap();
    sleep(SHORT);
    let error = client.execute(Ping).unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::Deadline(Duration::ZERO)),
        "{error:?}"
    );
}

#[test]
fn a_short_deadline_after_a_long_one_counts_and_a_long_one_after_a_short_one() {
    let (client, mut peer) = pair();
    let (pinged, ()) = both(|| client.execute(Ping), || peer.sync_and_answer());
    pinged.unwrap();
    let error = client.with_options(BRIEF).execute(Ping).unwrap_err();
    assert!(error.is_timeout(), "{error:?}");
    let script = || {
        peer.request();
        sleep(2 * SHORT);
        peer.sync();
        sleep(2 * SHORT);
        peer.answer_echo()
    };
    let options = Options::new().timeout(Duration::from_secs(20));
    let long = client.with_options(options);
    let (answer, _) = both(|| long.execute(echo("slow")), script);
    assert_eq!(answer.unwrap(), "slow");
}
