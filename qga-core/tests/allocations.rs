//! How often a command allocates memory once its client is warm. Counts are of one thread, the client's.

#![cfg(unix)]
#![allow(clippy::unwrap_used)]

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::thread;

use allocation_counter::{AllocationInfo, measure};
use qga_core::{Client, QgaCommand, blocking};
use serde::Deserialize;

/// How often each command is run while it is counted.
const TIMES: u64 = 100;
/// What a file command moves, in bytes.
const CHUNK: usize = 48 * 1024;

#[derive(Clone, Copy, QgaCommand)]
#[qga(name = "guest-ping")]
struct Ping;

#[derive(Clone, Copy, QgaCommand)]
#[qga(name = "guest-file-read", response = Read)]
struct FileRead {
    handle: i64,
}

#[derive(Deserialize)]
struct Read {
    #[serde(rename = "buf-b64", with = "qga_core::base64")]
    data: Vec<u8>,
}

#[derive(Clone, Copy, QgaCommand)]
#[qga(name = "guest-file-write", response = Written)]
struct FileWrite<'a> {
    handle: i64,
    #[qga(rename = "buf-b64", base64)]
    data: &'a [u8],
}

#[derive(Deserialize)]
struct Written {
    count: usize,
}

/// Our end of a socket, at whose other end a thread answers.
fn peer() -> UnixStream {
    let (ours, theirs) = UnixStream::pair().unwrap();
    thread::spawn(move || answer(&theirs));
    ours
}

fn answer(stream: &UnixStream) {
    let (mut requests, mut replies) = (BufReader::new(stream), stream);
    let data = "QUJD".repeat(CHUNK / 3);
    let mut line = Vec::new();
    while requests.read_until(b'\n', &mut line).unwrap_or(0) > 0 {
        let text = String::from_utf8_lossy(&line).into_owned();
        let after = text.rsplit("\"id\":").next().unwrap();
        let id: String = after.chars().take_while(char::is_ascii_digit).collect();
        let (sentinel, returned) = if text.contains("guest-sync-delimited") {
            (b"\xFF".as_slice(), id.clone())
        } else if text.contains("guest-file-read") {
            (
                b"".as_slice(),
                format!("{{\"count\": {CHUNK}, \"buf-b64\": \"{data}\", \"eof\": false}}"),
            )
        } else if text.contains("guest-file-write") {
            (
                b"".as_slice(),
                format!("{{\"count\": {CHUNK}, \"eof\": false}}"),
            )
        } else {
            (b"".as_slice(), "{}".to_owned())
        };
        replies.write_all(sentinel).unwrap();
        let reply = format!("{{\"return\": {returned}, \"id\": {id}}}\n");
        replies.write_all(reply.as_bytes()).unwrap();
        line.clear();
    }
}

/// What a command allocates, by a client over tokio and by one that blocks.
fn each<C: QgaCommand + Copy>(command: C, check: fn(C::Response)) -> [AllocationInfo; 2] {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let stream = peer();
    stream.set_nonblocking(true).unwrap();
    let client =
        runtime.block_on(async { Client::new(tokio::net::UnixStream::from_std(stream).unwrap()) });
    let by_tokio = |times| {
        runtime.block_on(async {
            for _ in 0..times {
                check(client.execute(command).await.unwrap());
            }
        });
    };
    let client = blocking::Client::new(peer());
    let by_blocking = |times| {
        for _ in 0..times {
            check(client.execute(command).unwrap());
        }
    };
    by_tokio(10);
    by_blocking(10);
    [measure(|| by_tokio(TIMES)), measure(|| by_blocking(TIMES))]
}

#[test]
fn a_ping_allocates_nothing() {
    for info in each(Ping, |_| ()) {
        assert_eq!(info.count_total, 0, "{info:?}");
    }
}

#[test]
fn a_read_allocates_little_more_than_the_bytes_that_it_brings() {
    for info in each(FileRead { handle: 1000 }, |read| {
        assert_eq!(read.data.len(), CHUNK);
    }) {
        assert!(info.count_total <= 2 * TIMES, "{info:?}");
        assert!(
            info.bytes_total <= TIMES * (CHUNK as u64 + 1024),
            "{info:?}"
        );
    }
}

#[test]
fn a_write_allocates_nothing() {
    let data = &*vec![7; CHUNK];
    for info in each(FileWrite { handle: 1000, data }, |written| {
        assert_eq!(written.count, CHUNK);
    }) {
        assert_eq!(info.count_total, 0, "{info:?}");
    }
}
