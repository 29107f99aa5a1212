//! Making a client.

use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::Duration;

use crate::support::{BRIEF, PATIENT, Peer, Ping, Place, accept, both};
use qga_core::blocking::{Client, ClientBuilder};
use qga_core::{Address, ErrorKind, Execution, Stage};
use serde_json::{Value, json};

fn hasty() -> ClientBuilder {
    Client::builder()
        .options(BRIEF)
        .connect_timeout(Duration::from_millis(200))
}

#[test]
fn an_address_that_cannot_be_read_is_refused_before_anything_is_opened() {
    for address in ["localhost:80", "", "vsock:3"] {
        let error = hasty().connect(address).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Address(_)), "{error:?}");
        let error = hasty().connect_lazy(address).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Address(_)), "{error:?}");
    }
}

#[test]
fn a_path_that_is_not_there_or_no_socket_or_too_long_says_so() {
    let place = Place::new();
    let error = hasty().connect(&place.path).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Open(_)), "{error:?}");
    let address = format!("unix:{}", place.path.display());
    assert_eq!(error.address(), Some(&*address));
    std::fs::write(&place.path, "").unwrap();
    let error = hasty().connect(&place.path).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::NotASocket), "{error:?}");
    let long = place.path.with_file_name("x".repeat(200));
    let error = hasty().connect(&long).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Open(_)), "{error:?}");
    assert!(error.is_permanent(), "{error:?}");
}

#[test]
fn a_socket_that_accepts_and_stays_silent_fails_in_the_sync() {
    let place = Place::new();
    let _listener = place.listen();
    let error = hasty().connect(&place.path).unwrap_err();
    assert!(error.is_timeout());
    assert_eq!(error.stage(), Stage::Sync);
}

#[test]
fn a_peer_that_hangs_up_before_the_sync_is_told_from_silence() {
    let place = Place::new();
    let listener = place.listen();
    let (outcome, ()) = both(|| hasty().connect(&place.path), || drop(accept(&listener)));
    let error = outcome.unwrap_err();
    assert_eq!(error.stage(), Stage::Sync);
    assert!(error.is_closed(), "{error:?}");
}

/// A socket at which nobody more can wait.
fn full(place: &Place) -> (socket2::Socket, Vec<UnixStream>) {
    use socket2::{Domain, SockAddr, Socket, Type};
    let socket = || Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
    let address = SockAddr::unix(&place.path).unwrap();
    let listener = socket();
    listener.bind(&address).unwrap();
    listener.listen(0).unwrap();
    let mut waiting = Vec::new();
    loop {
        let one_more = socket();
        one_more.set_nonblocking(true).unwrap();
        if one_more.connect(&address).is_err() {
            return (listener, waiting);
        }
        waiting.push(std::os::fd::OwnedFd::from(one_more).into());
    }
}

#[test]
fn a_socket_whose_queue_is_full_is_tried_until_the_deadline_and_is_no_refusal() {
    let place = Place::new();
    let (_listener, _waiting) = full(&place);
    let error = hasty().connect(&place.path).unwrap_err();
    assert!(error.is_timeout(), "{error:?}");
    let client = Client::builder()
        .options(BRIEF)
        .connect_lazy(&place.path)
        .unwrap();
    for _ in 0..3 {
        let error = client.execute(Ping).unwrap_err();
        assert!(
            error.is_timeout() && error.retry_after().is_none(),
            "{error:?}"
        );
        assert_eq!(
            (error.stage(), error.execution()),
            (Stage::Connect, Execution::NotRun)
        );
    }
}

#[test]
fn a_queue_that_was_full_lets_the_next_in_when_there_is_room() {
    let place = Place::new();
    let (listener, waiting) = full(&place);
    let builder = Client::builder().connect_timeout(Duration::from_secs(20));
    let script = || {
        drop(waiting);
        // Those that have gone are in the queue still.
        loop {
            let stream = std::os::fd::OwnedFd::from(listener.accept().unwrap().0);
            let mut peer = Peer::over(stream.into());
            if let Some(sync) = peer.next_request() {
                peer.send(b"\xFF");
                peer.send(crate::support::reply(&sync, &sync["arguments"]["id"]));
                break;
            }
        }
    };
    let (client, ()) = both(|| builder.connect(&place.path), script);
    client.unwrap();
}

#[test]
fn an_agent_behind_tcp_is_reached_by_name() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let agent = thread::spawn(move || {
        use std::io::{BufRead, BufReader, Write};
        let (stream, _) = listener.accept().unwrap();
        let mut writer = stream.try_clone().unwrap();
        for line in BufReader::new(stream).split(b'\n').map(Result::unwrap) {
            let start = line.iter().rposition(|byte| *byte == 0xFF);
            let request: Value =
                serde_json::from_slice(&line[start.map_or(0, |at| at + 1)..]).unwrap();
            let returned = match start {
                Some(_) => request["arguments"]["id"].clone(),
                None => json!({}),
            };
            writer
                .write_all(if start.is_some() { b"\xFF" } else { b"" })
                .unwrap();
            let reply = crate::support::reply(&request, &returned);
            writer.write_all(reply.as_bytes()).unwrap();
        }
    });
    let address = format!("tcp:127.0.0.1:{port}");
    let client = Client::builder()
        .options(PATIENT)
        .connect(&address)
        .unwrap();
    assert_eq!(client.address().map(Address::to_string), Some(address));
    client.execute(Ping).unwrap();
    drop(client);
    agent.join().unwrap();
    let error = hasty()
        .connect(format!("tcp:127.0.0.1:{port}"))
        .unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Open(_)), "{error:?}");
}

#[test]
fn a_client_that_is_made_before_its_agent_connects_with_its_first_command() {
    let place = Place::new();
    let client = Client::builder()
        .options(PATIENT)
        .connect_lazy(&place.path)
        .unwrap();
    let error = client.execute(Ping).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Open(_)), "{error:?}");
    assert!(error.address().is_some() && !error.is_permanent());
    let listener = place.listen();
    let (pinged, ()) = both(
        || client.execute(Ping),
        || accept(&listener).sync_and_answer(),
    );
    pinged.unwrap();
    let error = Client::builder().lock(true).connect_lazy("/none/qga.sock");
    assert_eq!(error.unwrap_err().stage(), Stage::Connect);
}

#[test]
fn a_second_client_is_told_who_holds_the_lock_until_the_last_clone_is_dropped() {
    let place = Place::new();
    let listener = place.listen();
    let locked = || Client::builder().lock(true).connect_lazy(&place.path);
    let client = locked().unwrap();
    let clone = client.clone();
    drop(client);
    let error = locked().unwrap_err();
    let pid = Some(std::process::id());
    assert!(
        matches!(error.kind(), ErrorKind::Held { pid: holder } if *holder == pid),
        "{error:?}"
    );
    let error = Client::builder().lock(true).connect(&place.path);
    assert!(error.unwrap_err().is_held());
    drop(clone);
    let (outcome, ()) = both(
        || hasty().lock(true).connect(&place.path),
        || drop(accept(&listener)),
    );
    assert!(outcome.unwrap_err().is_closed());
    // What failed to connect holds nothing.
    locked().unwrap();
}

#[test]
fn a_stream_that_was_handed_over_has_no_address_and_no_lock() {
    let (ours, _theirs) = UnixStream::pair().unwrap();
    let client = Client::new(ours);
    assert!(client.address().is_none());
    let error = client.with_options(BRIEF).execute(Ping).unwrap_err();
    assert_eq!(error.address(), None);
    let open = || Ok(UnixStream::pair()?.0);
    let error = Client::builder().lock(true).connect_with(open).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Lock(_)), "{error:?}");
}
