//! A channel that was lost.

use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::{self, sleep};
use std::time::Duration;

use crate::support::{BRIEF, PATIENT, Peer, Ping, Place, accept, both, echo};
use qga_core::blocking::{Client, ClientBuilder};
use qga_core::{ErrorKind, Execution, Stage};
use serde_json::json;

const LONG: Duration = Duration::from_secs(600);

fn connected(place: &Place, set: impl FnOnce(ClientBuilder) -> ClientBuilder) -> Client {
    let listener = place.listen();
    let builder = set(Client::builder().options(PATIENT));
    let (client, _peer) = both(
        || builder.connect(&place.path).unwrap(),
        || {
            let mut peer = accept(&listener);
            peer.sync();
            peer
        },
    );
    client
}

/// A client whose machine has gone with its socket.
fn lost(place: &Place, set: impl FnOnce(ClientBuilder) -> ClientBuilder) -> Client {
    let client = connected(place, set);
    std::fs::remove_file(&place.path).unwrap();
    client
}

#[test]
fn a_client_made_from_an_address_connects_again() {
    let place = Place::new();
    let client = connected(&place, |builder| builder);
    let listener = place.listen();
    let script = || {
        let mut peer = accept(&listener);
        peer.sync();
        peer.answer_echo();
        peer
    };
    let (answer, peer) = both(|| client.execute(echo(1)), script);
    assert_eq!(answer.unwrap(), "1");
    drop(peer);
    let script = || {
        let mut peer = accept(&listener);
        peer.sync();
        peer.answer_echo();
    };
    let (answer, ()) = both(|| client.execute(echo(2)), script);
    assert_eq!(answer.unwrap(), "2");
}

#[test]
fn a_client_that_was_given_a_way_to_connect_uses_it_again() {
    let (sender, receiver) = mpsc::channel();
    let open = move || {
        let (ours, theirs) = UnixStream::pair()?;
        sender.send(theirs).unwrap();
        Ok(ours)
    };
    let next = move || Peer::over(receiver.recv().unwrap());
    let builder = Client::builder().options(PATIENT);
    let (client, next) = both(
        || builder.connect_with(open).unwrap(),
        || {
            next().sync();
            next
        },
    );
    let (pinged, ()) = both(|| client.execute(Ping), move || next().sync_and_answer());
    pinged.unwrap();
    assert!(client.address().is_none());
}

#[test]
fn after_two_failures_commands_fail_at_once_until_a_pause_is_over() {
    let place = Place::new();
    let pauses = Duration::from_millis(300)..=Duration::from_millis(300);
    let client = lost(&place, |builder| builder.pauses(pauses));
    assert_eq!(client.execute(Ping).unwrap_err().retry_after(), None);
    let second = client.execute(Ping).unwrap_err();
    let third = client.execute(Ping).unwrap_err();
    for error in [second, third] {
        assert!(matches!(error.kind(), ErrorKind::Open(_)), "{error:?}");
        assert_eq!(
            (error.stage(), error.execution()),
            (Stage::Connect, Execution::NotRun)
        );
        assert!(error.retry_after().unwrap() <= Duration::from_millis(300));
    }
    let listener = place.listen();
    sleep(Duration::from_millis(300));
    let (pinged, ()) = both(
        || client.execute(Ping),
        || accept(&listener).sync_and_answer(),
    );
    pinged.unwrap();
}

#[test]
fn a_command_that_waits_runs_when_the_channel_is_back_though_there_is_a_pause() {
    let place = Place::new();
    let client = lost(&place, |builder| builder.pauses(LONG..=LONG));
    client.execute(Ping).unwrap_err();
    assert!(client.execute(Ping).unwrap_err().retry_after().is_some());
    let patient = client.with_options(PATIENT.wait_for_channel(true));
    let script = || {
        sleep(Duration::from_millis(300));
        accept(&place.listen()).sync_and_answer();
    };
    let (pinged, ()) = both(|| patient.execute(Ping), script);
    pinged.unwrap();
}

#[test]
fn who_waits_in_vain_is_told_what_fails_when_the_time_is_up() {
    let place = Place::new();
    let client = lost(&place, |builder| builder);
    let waiting = client.with_options(BRIEF.wait_for_channel(true));
    let error = waiting.execute(Ping).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Open(_)), "{error:?}");
    let error = waiting.pipeline([Ping]).next().unwrap().unwrap_err();
    assert_eq!(error.stage(), Stage::Connect, "{error:?}");
}

#[test]
fn who_waits_does_not_keep_the_channel_from_others_meanwhile() {
    let place = Place::new();
    let client = lost(&place, |builder| builder.pauses(LONG..=LONG));
    for _ in 0..2 {
        client.execute(Ping).unwrap_err();
    }
    let patient = client.with_options(
        PATIENT
            .timeout(Duration::from_secs(5))
            .wait_for_channel(true),
    );
    thread::scope(|scope| {
        let waits = scope.spawn(|| patient.execute(Ping));
        sleep(Duration::from_millis(50));
        let error = client.with_options(BRIEF).execute(Ping).unwrap_err();
        assert_eq!(error.stage(), Stage::Connect, "{error:?}");
        accept(&place.listen()).sync_and_answer();
        waits.join().unwrap().unwrap();
    });
}

#[test]
fn a_pipeline_waits_too() {
    let place = Place::new();
    let client = lost(&place, |builder| builder);
    let patient = client.with_options(PATIENT.wait_for_channel(true));
    let script = || {
        sleep(Duration::from_millis(100));
        let mut peer = accept(&place.listen());
        peer.sync();
        peer.answer_echo();
        peer.answer_echo();
    };
    let results = || patient.pipeline([echo(1), echo(2)]).collect::<Vec<_>>();
    let (results, ()) = both(results, script);
    let values: Vec<_> = results.into_iter().map(Result::unwrap).collect();
    assert_eq!(values, ["1", "2"]);
}

#[test]
fn threads_with_little_time_synchronize_together() {
    let place = Place::new();
    let client = Client::builder().options(BRIEF).connect_lazy(&place.path);
    let client = client.unwrap();
    let listener = place.listen();
    let script = || {
        let mut peer = accept(&listener);
        let sync = peer.request();
        sleep(Duration::from_millis(500));
        // Its own or one of those after it, on the same connection.
        peer.send(b"\xFF");
        peer.send(crate::support::reply(&sync, &sync["arguments"]["id"]));
        peer.echo_all();
    };
    let commands = || {
        let error = client.execute(Ping).unwrap_err();
        assert_eq!(error.stage(), Stage::Sync, "{error:?}");
        let patient = client.with_options(PATIENT);
        let answer = patient.execute(echo("on"));
        drop((client, patient));
        answer
    };
    assert_eq!(both(commands, script).0.unwrap(), "on");
}

#[test]
fn a_connection_on_which_nothing_answers_is_given_up_for_another() {
    let place = Place::new();
    let client = Client::builder()
        .options(PATIENT)
        .connect_timeout(Duration::from_millis(100))
        .connect_lazy(&place.path)
        .unwrap();
    let listener = place.listen();
    let connections = Arc::new(AtomicU32::new(0));
    let script = || {
        let silent = accept(&listener);
        let mut peer = accept(&listener);
        connections.fetch_add(2, Ordering::Relaxed);
        peer.sync();
        peer.answer(json!({}));
        drop(silent);
    };
    let (pinged, ()) = both(|| client.execute(Ping), script);
    pinged.unwrap();
    assert_eq!(connections.load(Ordering::Relaxed), 2);
}

#[test]
fn the_old_stream_is_let_go_of_before_a_new_one_is_opened() {
    use std::io::Read;
    let (sender, receiver) = mpsc::channel();
    let old = Mutex::new(None::<UnixStream>);
    let open = move || {
        let (ours, theirs) = UnixStream::pair()?;
        let old = old.lock().unwrap().replace(theirs.try_clone()?);
        if let Some(mut old) = old {
            // It serves one at a time, and has the old one until that ends.
            old.set_nonblocking(true)?;
            old.read_to_end(&mut Vec::new())?;
        }
        sender.send(theirs).unwrap();
        Ok(ours)
    };
    let builder = Client::builder().options(PATIENT);
    let script = move || {
        let mut first = Peer::over(receiver.recv().unwrap());
        first.sync();
        first.stream.shutdown(std::net::Shutdown::Write).unwrap();
        Peer::over(receiver.recv().unwrap()).sync_and_answer();
    };
    let commands = move || {
        let client = builder.connect_with(open).unwrap();
        sleep(Duration::from_millis(50));
        client.execute(Ping)
    };
    both(commands, script).0.unwrap();
}
