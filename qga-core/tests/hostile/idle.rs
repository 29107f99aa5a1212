//! What a client costs that nobody uses, measured in a process of its own, which is this test started once more.

use std::io::{self, Read, Write};
use std::pin::Pin;
use std::process::Command;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use qga_core::{Client, blocking};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::runtime::Runtime;

use crate::GetHostName;

const MEASURED: &str = "QGA_IDLE";
const CLIENTS: u64 = 10_000;
/// In bytes, of one client with all that it stands on.
const COST: u64 = 2048;
/// Of one that can connect again.
const RECONNECTING: u64 = 2400;
/// Of one with a command that is under way, together with that.
const WAITING: u64 = 8192;
/// Of the reply that each has had, in bytes.
const REPLY: usize = 100_000;

/// The other end of a channel, which needs no memory once its reply was read.
#[derive(Default)]
struct Agent {
    /// Whether it answers syncs only.
    is_mute: bool,
    reply: Vec<u8>,
    at: usize,
    reader: Option<Waker>,
}

impl Agent {
    fn answer(&mut self, request: &[u8]) {
        let request = String::from_utf8_lossy(request);
        let (_, id) = request.rsplit_once("\"id\":").unwrap();
        let id = id.trim_end_matches(['}', '\n']);
        self.at = 0;
        self.reply = if request.contains("guest-sync") {
            let reply = format!("{{\"return\": {id}, \"id\": {id}}}\n");
            [b"\xFF", reply.as_bytes()].concat()
        } else if self.is_mute {
            Vec::new()
        } else {
            let name = "x".repeat(REPLY);
            format!("{{\"return\": {{\"host-name\": \"{name}\"}}, \"id\": {id}}}\n").into_bytes()
        };
    }

    fn give(&mut self, buffer: &mut [u8]) -> Option<usize> {
        let rest = &self.reply[self.at..];
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        self.at += count;
        if self.at == self.reply.len() {
            self.reply = Vec::new();
            self.at = 0;
        }
        (count > 0).then_some(count)
    }
}

impl AsyncRead for Agent {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Some(count) = self.give(buffer.initialize_unfilled()) else {
            self.reader = Some(cx.waker().clone());
            return Poll::Pending;
        };
        buffer.advance(count);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Agent {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.answer(bytes);
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl Read for Agent {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.give(buffer)
            .ok_or_else(|| io::ErrorKind::WouldBlock.into())
    }
}

impl Write for Agent {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.answer(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl blocking::Stream for Agent {
    fn set_read_timeout(&self, _: Duration) -> io::Result<()> {
        Ok(())
    }

    fn set_write_timeout(&self, _: Duration) -> io::Result<()> {
        Ok(())
    }

    fn set_nonblocking(&self, _: bool) -> io::Result<()> {
        Ok(())
    }
}

/// The memory that this process has now, in bytes.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.unwrap().trim().trim_end_matches(" kB");
    kib.parse::<u64>().unwrap() * 1024
}

/// Makes clients that have had a large reply, and counts what they cost; in a process that does nothing else.
fn measured<C>(name: &str, cost: u64, mut make: impl FnMut() -> C) {
    if std::env::var_os(MEASURED).is_none() {
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", &format!("idle::{name}"), "--nocapture"])
            .env(MEASURED, "1")
            // So that what is freed leaves no gaps between what stays.
            .env("MALLOC_ARENA_MAX", "1")
            .env("MALLOC_MMAP_THRESHOLD_", "8192")
            .output()
            .unwrap();
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        let is_measured = output.status.success() && said.contains("bytes each");
        assert!(is_measured, "{said}");
        return println!("{said}");
    }
    // What is made once is not a client's.
    let mut clients = Vec::with_capacity(usize::try_from(CLIENTS).unwrap());
    clients.extend((0..10).map(|_| make()));
    let before = resident();
    clients.extend((0..CLIENTS).map(|_| make()));
    let each = resident().saturating_sub(before) / CLIENTS;
    println!("{each} bytes each");
    assert!(each < cost, "{each} bytes each");
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

#[test]
fn a_client_that_nobody_uses_needs_no_buffers() {
    let runtime = runtime();
    let name = "a_client_that_nobody_uses_needs_no_buffers";
    measured(name, COST, || {
        let client = Client::new(Agent::default());
        let answer = runtime.block_on(client.execute(GetHostName)).unwrap();
        assert_eq!(answer.host_name.len(), REPLY);
        client
    });
}

#[test]
fn a_client_that_can_connect_again_takes_little_more() {
    let runtime = runtime();
    let name = "a_client_that_can_connect_again_takes_little_more";
    measured(name, RECONNECTING, || {
        let open = || std::future::ready(Ok(Agent::default()));
        let connecting = Client::builder().connect_with(open);
        runtime.block_on(connecting).unwrap()
    });
}

/// As in a fleet, where there is a command under way for each guest.
#[test]
fn a_command_that_waits_for_its_answer_needs_no_buffer_to_read_into() {
    let runtime = runtime();
    let name = "a_command_that_waits_for_its_answer_needs_no_buffer_to_read_into";
    measured(name, WAITING, || {
        let client = Client::new(Agent {
            is_mute: true,
            ..Agent::default()
        });
        let mut waiting = Box::pin(async move { client.execute(GetHostName).await });
        let _inside = runtime.enter();
        let mut context = Context::from_waker(Waker::noop());
        // Once for the sync and once for its answer.
        for _ in 0..2 {
            assert!(waiting.as_mut().poll(&mut context).is_pending());
        }
        waiting
    });
}

/// A task that connects, and then has the client for long, keeps the room of its largest future for good.
#[test]
fn the_futures_of_a_client_take_little_room_in_a_task() {
    let connecting = Client::connect("unix:/run/vm1/qga.sock");
    let opening = Client::builder().connect_with(|| std::future::ready(Ok(Agent::default())));
    let client = Client::new(Agent::default());
    let running = client.execute(GetHostName);
    let sizes = [
        size_of_val(&connecting),
        size_of_val(&opening),
        size_of_val(&running),
    ];
    assert!(sizes.iter().all(|size| *size < 512), "{sizes:?}");
}

#[test]
fn a_blocking_client_that_nobody_uses_needs_no_buffers() {
    let name = "a_blocking_client_that_nobody_uses_needs_no_buffers";
    measured(name, COST, || {
        let client = blocking::Client::new(Agent::default());
        let answer = client.execute(GetHostName).unwrap();
        assert_eq!(answer.host_name.len(), REPLY);
        client
    });
}
