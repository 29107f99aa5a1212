use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::time::{Instant, sleep, timeout};

use super::*;
use crate::wire::call::{AuthList, LibVersion};
use crate::wire::packet::{Header, Kind, Status};

/// A daemon that the test plays packet by packet.
struct Peer(DuplexStream);

impl Peer {
    async fn read(&mut self) -> (Header, Vec<u8>) {
        let mut packet = vec![0; 4];
        self.0.read_exact(&mut packet).await.unwrap();
        let length = u32::from_be_bytes(packet[..4].try_into().unwrap());
        packet.resize(usize::try_from(length).unwrap(), 0);
        self.0.read_exact(&mut packet[4..]).await.unwrap();
        let (header, payload) = Header::split(&packet).unwrap();
        (header, payload.to_vec())
    }

    async fn answer(&mut self, call: Header, version: u64) {
        let reply = Header {
            kind: Kind::Reply,
            ..call
        };
        let packet = reply.packet(&version.to_be_bytes());
        self.0.write_all(&packet).await.unwrap();
    }
}

fn connected() -> (Arc<Connection>, Peer) {
    let (ours, theirs) = tokio::io::duplex(1 << 16);
    (Arc::new(Connection::new(ours, None)), Peer(theirs))
}

/// Begins a call, with what is kept for it.
fn call(
    connection: &Arc<Connection>,
    kept: Kept,
) -> tokio::task::JoinHandle<Result<u64, CallError>> {
    let connection = connection.clone();
    tokio::spawn(async move { connection.call(&LibVersion, kept).await })
}

fn lost(result: Result<u64, CallError>) -> Lost {
    match result {
        Err(CallError::Lost(lost)) => lost,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn replies_go_to_their_calls_in_whatever_order_they_come() {
    let (connection, mut peer) = connected();
    let first = call(&connection, Box::new(()));
    let (first_call, _) = peer.read().await;
    let second = call(&connection, Box::new(()));
    let (second_call, _) = peer.read().await;
    peer.answer(second_call, 2).await;
    assert_eq!(second.await.unwrap().unwrap(), 2);
    peer.answer(first_call, 1).await;
    assert_eq!(first.await.unwrap().unwrap(), 1);
}

#[tokio::test(start_paused = true)]
async fn there_are_four_places_and_no_fifth() {
    let (connection, _peer) = connected();
    let places: Vec<_> = (0..PLACES).map(|_| connection.place().unwrap()).collect();
    assert_eq!(places.len(), 4);
    assert!(connection.place().is_none());
    drop(places);
    assert!(connection.place().is_some());
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_call_keeps_its_place_until_its_reply_came_which_nobody_else_gets() {
    let (connection, mut peer) = connected();
    let place = connection.place().unwrap();
    let cancelled = call(&connection, Box::new(place));
    let (late, _) = peer.read().await;
    cancelled.abort();
    let others: Vec<_> = (1..PLACES).map(|_| connection.place().unwrap()).collect();
    sleep(Duration::from_secs(8)).await;
    assert!(connection.place().is_none());
    let next = call(&connection, Box::new(()));
    let (header, _) = peer.read().await;
    peer.answer(late, 1).await;
    peer.answer(header, 2).await;
    assert_eq!(next.await.unwrap().unwrap(), 2);
    assert!(connection.place().is_some());
    drop(others);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_cancelled_before_the_task_takes_it_is_never_made() {
    let (connection, mut peer) = connected();
    {
        let unsent = connection.call(&AuthList, Box::new(()));
        let mut unsent = std::pin::pin!(unsent);
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(unsent.as_mut().poll(&mut context).is_pending());
    }
    let next = call(&connection, Box::new(()));
    let (header, _) = peer.read().await;
    assert_eq!(header.procedure, LibVersion::NUMBER);
    peer.answer(header, 9).await;
    assert_eq!(next.await.unwrap().unwrap(), 9);
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_daemon_tells_which_calls_were_sent_as_a_whole() {
    let (ours, theirs) = tokio::io::duplex(40);
    let (connection, mut peer) = (Arc::new(Connection::new(ours, None)), Peer(theirs));
    let sent = call(&connection, Box::new(()));
    peer.read().await;
    // The first is in the pipe as a whole, and of the next only a part.
    let in_pipe = call(&connection, Box::new(()));
    let torn = call(&connection, Box::new(()));
    sleep(Duration::from_secs(1)).await;
    drop(peer);
    assert!(lost(sent.await.unwrap()).was_sent);
    assert!(lost(in_pipe.await.unwrap()).was_sent);
    assert!(!lost(torn.await.unwrap()).was_sent);
    assert!(connection.is_closed());
    let late = call(&connection, Box::new(())).await.unwrap();
    assert!(!lost(late).was_sent);
}

#[tokio::test(start_paused = true)]
async fn what_makes_no_sense_ends_the_connection() {
    let reply = |header: Header| Header {
        kind: Kind::Reply,
        ..header
    };
    for what in 0..5 {
        let (connection, mut peer) = connected();
        let waiting = call(&connection, Box::new(()));
        let (header, _) = peer.read().await;
        let bytes = match what {
            0 => b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(),
            1 => vec![0; 28],
            // To a call that nobody has made.
            2 => reply(Header {
                serial: 77,
                ..header
            })
            .packet(&[]),
            // To another procedure.
            3 => reply(Header {
                procedure: 1,
                ..header
            })
            .packet(&[]),
            _ => header.packet(&[]),
        };
        peer.0.write_all(&bytes).await.unwrap();
        let lost = lost(waiting.await.unwrap());
        assert_eq!(lost.kind, io::ErrorKind::InvalidData, "{what}");
        assert!(lost.was_sent && connection.is_closed(), "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_reply_of_another_shape_fails_its_call_alone() {
    let (connection, mut peer) = connected();
    let first = call(&connection, Box::new(()));
    let (header, _) = peer.read().await;
    let reply = Header {
        kind: Kind::Reply,
        ..header
    };
    peer.0.write_all(&reply.packet(&[0; 12])).await.unwrap();
    assert!(matches!(
        first.await.unwrap(),
        Err(CallError::Malformed(Malformed::Trailing))
    ));
    let second = call(&connection, Box::new(()));
    let (header, _) = peer.read().await;
    peer.answer(header, 2).await;
    assert_eq!(second.await.unwrap().unwrap(), 2);
}

#[tokio::test(start_paused = true)]
async fn events_that_nobody_asked_for_and_pings_disturb_no_call() {
    let (connection, mut peer) = connected();
    let waiting = call(&connection, Box::new(()));
    let (header, _) = peer.read().await;
    for (program, procedure) in [(Program::Remote, 318), (Program::Keepalive, 1)] {
        let message = Header {
            program,
            procedure,
            kind: Kind::Message,
            serial: 1,
            status: Status::Ok,
        };
        peer.0.write_all(&message.packet(&[])).await.unwrap();
    }
    let (pong, _) = peer.read().await;
    assert_eq!((pong.program, pong.procedure), (Program::Keepalive, 2));
    peer.answer(header, 1).await;
    assert_eq!(waiting.await.unwrap().unwrap(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_silent_daemon_is_pinged_and_then_taken_for_gone() {
    let (connection, mut peer) = connected();
    let waiting = call(&connection, Box::new(()));
    peer.read().await;
    let began = Instant::now();
    let (ping, _) = peer.read().await;
    assert_eq!((ping.program, ping.procedure), (Program::Keepalive, 1));
    let answer = Header {
        procedure: 2,
        ..ping
    };
    peer.0.write_all(&answer.packet(&[])).await.unwrap();
    // It is there, so the call goes on, until it says nothing more.
    let again = peer.read().await.0;
    assert_eq!(again, ping);
    assert!(began.elapsed() >= Duration::from_secs(20));
    let lost = lost(waiting.await.unwrap());
    assert_eq!(lost.kind, io::ErrorKind::TimedOut);
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_ends_and_so_does_one_that_nobody_has() {
    let (connection, mut peer) = connected();
    let answers = async {
        let mut ping = [0; 28];
        while peer.0.read_exact(&mut ping).await.is_ok() {
            let (header, _) = Header::split(&ping).unwrap();
            let answer = Header {
                procedure: 2,
                ..header
            };
            // The last ping may come with the end.
            drop(peer.0.write_all(&answer.packet(&[])).await);
        }
    };
    timeout(Duration::from_secs(40), answers).await.unwrap();
    assert!(connection.is_closed());
    let (connection, mut peer) = connected();
    drop(connection);
    assert_eq!(peer.0.read(&mut [0]).await.unwrap(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_is_kept_is_dropped_at_the_reply_or_at_the_end() {
    struct Flag(Arc<AtomicBool>);
    impl Drop for Flag {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    for is_answered in [true, false] {
        let (connection, mut peer) = connected();
        let dropped = Arc::new(AtomicBool::new(false));
        let waiting = call(&connection, Box::new(Flag(dropped.clone())));
        let (header, _) = peer.read().await;
        assert!(!dropped.load(Ordering::Relaxed));
        if is_answered {
            peer.answer(header, 1).await;
        } else {
            drop(peer);
        }
        drop(waiting.await.unwrap());
        assert!(dropped.load(Ordering::Relaxed));
    }
}
