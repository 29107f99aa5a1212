//! A guest that sends without end, and one that takes nothing.

use std::io::Write;
use std::os::unix::net::UnixStream;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use crate::support::{BRIEF, Ping, Shutdown, both, echo, pair, synced_pair};
use qga_core::blocking::Client;
use qga_core::{ErrorKind, Execution, Stage};

/// Sends the same again and again until the client leaves.
fn flood(mut stream: UnixStream, bytes: &'static [u8], pause: Duration) {
    thread::spawn(move || {
        while stream.write_all(bytes).is_ok() {
            thread::sleep(pause);
        }
    });
}

/// The error of a command, in a thread that is given up if it does not end.
fn error_in_time(client: &Client) -> qga_core::Error {
    let (sender, receiver) = mpsc::channel();
    let client = client.clone();
    thread::spawn(move || sender.send(client.execute(Ping)));
    let ended = receiver.recv_timeout(Duration::from_secs(20));
    ended.expect("the command does not end").unwrap_err()
}

const LINES: &[u8] = b"{\"return\": 1, \"id\": 1}\n{\"return\": 1, \"id\": 1}\n";
const NO_LINE: &[u8] = b"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";

#[test]
fn a_flood_ends_at_the_deadline() {
    for (bytes, answers_sync) in [
        (LINES, true),
        (LINES, false),
        (NO_LINE, true),
        (NO_LINE, false),
    ] {
        let (client, peer) = if answers_sync { synced_pair() } else { pair() };
        let limits = BRIEF
            .reply_limit(usize::MAX / 4)
            .skip_limit(u64::MAX, u64::MAX);
        let client = client.with_options(limits);
        flood(peer.stream, bytes, Duration::ZERO);
        let error = error_in_time(&client);
        assert!(error.is_timeout(), "{error:?}");
    }
}

#[test]
fn bytes_and_lines_that_trickle_in_do_not_extend_the_deadline() {
    for bytes in [&b" "[..], b"x", LINES] {
        for is_synced in [true, false] {
            let (client, peer) = if is_synced { synced_pair() } else { pair() };
            let client = client.with_options(BRIEF);
            flood(peer.stream, bytes, Duration::from_millis(5));
            let error = error_in_time(&client);
            assert!(error.is_timeout(), "{error:?}");
        }
    }
}

#[test]
fn a_line_without_end_is_too_long_and_the_next_command_works() {
    let (client, mut peer) = synced_pair();
    let strict = client.with_options(client.options().reply_limit(10_000));
    let script = || {
        peer.request();
        peer.send("x".repeat(20_000));
        peer.send("\n");
        peer.sync();
        peer.answer_echo()
    };
    let commands = || {
        let error = strict.execute(Ping).unwrap_err();
        assert!(
            matches!(error.kind(), ErrorKind::ReplyTooLong(10_000)),
            "{error:?}"
        );
        strict.execute(echo("next"))
    };
    assert_eq!(both(commands, script).0.unwrap(), "next");
}

#[test]
fn lines_without_end_are_too_much_for_a_sync() {
    let (client, peer) = pair();
    let client = client.with_options(client.options().skip_limit(1 << 20, 1000));
    flood(peer.stream, LINES, Duration::ZERO);
    let error = error_in_time(&client);
    assert!(
        matches!(error.kind(), ErrorKind::TooMuchSkipped { .. }),
        "{error:?}"
    );
    assert_eq!(error.execution(), Execution::NotRun);
}

#[test]
fn a_peer_that_takes_nothing_does_not_hold_a_large_request_beyond_its_deadline() {
    let (patient, mut peer) = synced_pair();
    let client = patient.with_options(BRIEF);
    let error = client.execute(echo("x".repeat(4 << 20))).unwrap_err();
    assert!(error.is_timeout(), "{error:?}");
    assert_eq!(
        (error.stage(), error.execution()),
        (Stage::Send, Execution::MaybeRun)
    );
    // The next one cannot even synchronize.
    let error = client.execute(Shutdown).unwrap_err();
    assert!(error.is_timeout(), "{error:?}");
    assert_eq!(
        (error.stage(), error.execution()),
        (Stage::Sync, Execution::NotRun)
    );
    // Until the peer reads on.
    let script = || {
        let half = peer.next_request_bytes().unwrap();
        // Half a request is ended by the next sync.
        let start = half.iter().rposition(|byte| *byte == 0xFF).unwrap() + 1;
        let sync: serde_json::Value = serde_json::from_slice(&half[start..]).unwrap();
        peer.send(b"\xFF");
        peer.send(crate::support::reply(&sync, &sync["arguments"]["id"]));
        peer.echo_all();
    };
    let (answer, ()) = both(
        || {
            let answer = patient.execute(echo("next"));
            drop((client, patient));
            answer
        },
        script,
    );
    assert_eq!(answer.unwrap(), "next");
}

#[test]
fn a_peer_that_takes_a_large_request_in_sips_does_not_extend_the_deadline() {
    use std::io::Read;
    // More is written at once where there is more time.
    for options in [BRIEF, BRIEF.timeout(Duration::from_secs(2))] {
        let (client, mut peer) = synced_pair();
        let client = client.with_options(options);
        // Fast enough for every single write, and far too slow for all of it.
        thread::spawn(move || {
            let mut sip = vec![0; 64 << 10];
            while matches!(peer.stream.read(&mut sip), Ok(1..)) {
                thread::sleep(Duration::from_millis(10));
            }
        });
        let error = client.execute(echo("x".repeat(24 << 20))).unwrap_err();
        assert!(error.is_timeout(), "{error:?}");
        assert_eq!(
            (error.stage(), error.execution()),
            (Stage::Send, Execution::MaybeRun)
        );
    }
}

#[test]
fn a_long_request_goes_out_while_old_replies_come_in() {
    let (client, mut peer) = synced_pair();
    let big = "x".repeat(4 << 20);
    let script = || {
        // More than the socket holds, before it reads anything.
        peer.send("{\"return\": \"old\", \"id\": 1}\n".repeat(100_000));
        peer.echo_all();
    };
    let (answer, ()) = both(
        || {
            let answer = client.execute(echo(&big));
            drop(client);
            answer
        },
        script,
    );
    assert_eq!(answer.unwrap(), big);
}
