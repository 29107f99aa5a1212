use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

use super::*;
use crate::target::Host;
use crate::wire::packet::{Kind, Program, Status};
use crate::wire::types::{Domain, Uuid};

/// A stream that the call with the serial 0 has opened, and the daemon's end.
fn opened(buffer: usize) -> (DomainChannel, DuplexStream) {
    let (ours, daemon) = duplex(buffer);
    let address = "///system/vm1/org.example.0?socket=/none";
    let target = ChannelTarget::read(address, &Host::default()).unwrap();
    let port = Port {
        daemon: target.daemon,
        domain: Domain {
            name: "vm1".into(),
            uuid: Uuid([7; 16]),
            id: Some(1),
        },
        name: target.port,
    };
    (
        DomainChannel::new(Dialog::new(Box::new(ours)), port),
        daemon,
    )
}

/// What arrives when the daemon sends these bytes and closes the connection.
async fn read_all(bytes: &[u8]) -> (Vec<u8>, Result<()>) {
    let (mut channel, mut daemon) = opened(1 << 20);
    daemon.write_all(bytes).await.unwrap();
    drop(daemon);
    let mut read = Vec::new();
    // In small pieces.
    loop {
        let mut piece = [0];
        match channel.read(&mut piece).await {
            Ok(0) => return (read, Ok(())),
            Ok(_) => read.extend(piece),
            Err(error) => return (read, Err(error)),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn bytes_come_as_they_were_sent_whatever_packets_they_came_in() {
    let event = Header {
        program: Program::Remote,
        procedure: 318,
        kind: Kind::Message,
        serial: 1,
        status: Status::Ok,
    };
    let mut bytes = Sent::Bytes(b"abc").packet(0);
    bytes.extend(event.packet(b"told"));
    bytes.extend(Sent::Bytes(b"d").packet(0));
    bytes.extend(Sent::Bytes(b"").packet(0));
    let (read, end) = read_all(&bytes).await;
    assert_eq!(read, b"abcd");
    end.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_daemon_that_talks_nonsense_or_hangs_up_ends_the_stream_after_what_it_sent() {
    let good = Sent::Bytes(b"good").packet(0);
    let mut too_long = Sent::Bytes(b"x").packet(0);
    too_long[0] = 0xFF;
    for (next, kind) in [
        (vec![], ErrorKind::UnexpectedEof),
        (good[..20].to_vec(), ErrorKind::UnexpectedEof),
        (Sent::Bytes(b"x").packet(1), ErrorKind::InvalidData),
        (too_long, ErrorKind::InvalidData),
        (vec![0; 28], ErrorKind::InvalidData),
    ] {
        let (read, end) = read_all(&[good.clone(), next.clone()].concat()).await;
        assert_eq!(read, b"good", "{next:?}");
        assert_eq!(end.unwrap_err().kind(), kind, "{next:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn no_more_than_one_packet_is_kept_for_a_daemon_that_does_not_read() {
    let (mut channel, mut daemon) = opened(1000);
    let long = vec![b'x'; 3 * MOST_BYTES];
    assert_eq!(channel.write(&long).await.unwrap(), MOST_BYTES);
    let second = tokio::time::timeout(std::time::Duration::from_secs(9), channel.write(b"y"));
    second.await.unwrap_err();
    let mut packet = vec![0; HEADER + MOST_BYTES];
    let (flushed, read) = tokio::join!(channel.flush(), daemon.read_exact(&mut packet));
    flushed.unwrap();
    read.unwrap();
    assert!(packet == Sent::Bytes(&long[..MOST_BYTES]).packet(0));
    assert_eq!(channel.write(b"y").await.unwrap(), 1);
    assert_eq!(channel.write(b"").await.unwrap(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_stream_is_finished_once_however_often_it_is_shut_down() {
    let (mut channel, mut daemon) = opened(1000);
    channel.write_all(b"last").await.unwrap();
    channel.shutdown().await.unwrap();
    channel.shutdown().await.unwrap();
    daemon.write_all(&Sent::Finish.packet(0)).await.unwrap();
    assert_eq!(channel.read(&mut [0; 9]).await.unwrap(), 0);
    drop(channel);
    let mut sent = Vec::new();
    daemon.read_to_end(&mut sent).await.unwrap();
    let expected = [Sent::Bytes(b"last").packet(0), Sent::Finish.packet(0)];
    assert_eq!(sent, expected.concat());
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_is_dropped_is_aborted_after_what_was_written() {
    let (mut channel, mut daemon) = opened(40);
    assert_eq!(channel.write(&[b'x'; 100]).await.unwrap(), 100);
    drop(channel);
    let expected = [Sent::Bytes(&[b'x'; 100]).packet(0), Sent::Abort.packet(0)].concat();
    let mut sent = vec![0; expected.len()];
    daemon.read_exact(&mut sent).await.unwrap();
    assert_eq!(sent, expected);
    daemon.write_all(&Sent::Finish.packet(0)).await.unwrap();
    assert_eq!(daemon.read(&mut [0; 9]).await.unwrap(), 0);
}

#[test]
fn a_stream_may_be_dropped_outside_of_a_runtime() {
    let (channel, _daemon) = opened(40);
    drop(channel);
}
