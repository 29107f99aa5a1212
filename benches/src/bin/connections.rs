//! Many connections at once: `connections` compares what 1,000 of them take that send 100 pings each, in time as a
//! multiple of bare blocking sockets and in memory at most. Each round runs each kind in a process of its own,
//! `connections KIND SOCKET`; the agents answer in yet another one, `connections respond SOCKET`.

use std::env;
use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream as StdStream;
use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use benches::responder::respond;
use qapi::futures::QgaStreamTokio;
use qga_core::{Client, QgaCommand};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::runtime::Builder;
use tokio::task::JoinSet;

#[derive(Clone, Copy, QgaCommand)]
#[qga(name = "guest-ping")]
struct Ping;

const CONNECTIONS: usize = 1000;
const PINGS: usize = 100;
const ROUNDS: usize = 7;
const KINDS: [&str; 4] = ["bare-blocking", "bare-tokio", "ours-tokio", "qapi-tokio"];
const REQUEST: &[u8] = b"{\"execute\":\"guest-ping\",\"id\":1234567890123456}\n";

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        [] => compare(),
        ["respond", socket] => respond(Path::new(socket)).expect("a socket"),
        [kind, socket] => println!("{} {}", run(kind, socket).as_micros(), peak()),
        _ => panic!("usage: connections [KIND SOCKET]"),
    }
}

fn compare() {
    let folder = tempfile::tempdir().expect("a folder");
    let socket = folder.path().join("socket").display().to_string();
    let _responder = Responder::start(&socket);
    let mut measured = KINDS.map(|_| Vec::new());
    for _ in 0..ROUNDS {
        let round = KINDS.map(|kind| in_a_process(kind, &socket));
        for (all, (micros, kib)) in measured.iter_mut().zip(round) {
            all.push((micros / round[0].0, kib / 1024.0));
        }
    }
    for (kind, all) in KINDS.iter().zip(measured) {
        let (mut ratios, mut memory): (Vec<f64>, Vec<f64>) = all.into_iter().unzip();
        ratios.sort_by(f64::total_cmp);
        memory.sort_by(f64::total_cmp);
        println!(
            "{kind:<14} {:5.2} ({:.2} to {:.2}) {:6.1} MiB",
            ratios[ROUNDS / 2],
            ratios[ROUNDS / 4],
            ratios[ROUNDS - 1 - ROUNDS / 4],
            memory[ROUNDS / 2],
        );
    }
}

/// How long it took, in microseconds, and how much memory it had at most, in KiB.
fn in_a_process(kind: &str, socket: &str) -> (f64, f64) {
    let output = this_program().args([kind, socket]).output();
    let output = String::from_utf8(output.expect("a process").stdout).expect("text");
    let (micros, kib) = output.trim().split_once(' ').expect("two numbers");
    let number = |text: &str| text.parse().expect("a number");
    (number(micros), number(kib))
}

fn run(kind: &str, socket: &str) -> Duration {
    let start = Instant::now();
    match kind {
        "bare-blocking" => bare(socket),
        "bare-tokio" => each(|| bare_tokio(socket.to_owned())),
        "ours-tokio" => each(|| ours(socket.to_owned())),
        "qapi-tokio" => each(|| qapi(socket.to_owned())),
        _ => panic!("one of {KINDS:?}"),
    }
    start.elapsed()
}

/// One thread writes to all, and then reads from all.
fn bare(socket: &str) {
    let connect = || StdStream::connect(socket).expect("a stream");
    let mut streams: Vec<_> = std::iter::repeat_with(connect).take(CONNECTIONS).collect();
    let mut reply = [0; 1024];
    for _ in 0..PINGS {
        for stream in &mut streams {
            stream.write_all(REQUEST).expect("written");
        }
        for stream in &mut streams {
            assert!(stream.read(&mut reply).expect("a reply") > 0);
        }
    }
}

/// A task for each connection, in a runtime of one thread.
fn each<F: Future<Output = ()> + Send + 'static>(work: impl Fn() -> F) {
    let runtime = Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let tasks: JoinSet<()> = std::iter::repeat_with(work).take(CONNECTIONS).collect();
        tasks.join_all().await;
    });
}

/// A stream that waits for its place in the queue of those who are to be accepted.
fn connected(socket: &str) -> UnixStream {
    let stream = StdStream::connect(socket).expect("a stream");
    stream.set_nonblocking(true).expect("a stream");
    UnixStream::from_std(stream).expect("a stream")
}

async fn bare_tokio(socket: String) {
    let mut stream = connected(&socket);
    let mut reply = [0; 1024];
    for _ in 0..PINGS {
        stream.write_all(REQUEST).await.expect("written");
        assert!(stream.read(&mut reply).await.expect("a reply") > 0);
    }
}

async fn ours(socket: String) {
    let client = Client::new(connected(&socket));
    for _ in 0..PINGS {
        client.execute(Ping).await.expect("a reply");
    }
}

async fn qapi(socket: String) {
    let (service, _) = QgaStreamTokio::open(connected(&socket)).spawn_tokio();
    service.guest_sync(1234).await.expect("a reply");
    for _ in 0..PINGS {
        let reply = service.execute(qapi::qga::guest_ping {}).await;
        reply.expect("a reply");
    }
}

/// The most memory that this process has had, in KiB.
fn peak() -> String {
    let status = fs::read_to_string("/proc/self/status").expect("this process");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.expect("its memory").trim().trim_end_matches(" kB");
    kib.to_owned()
}

fn this_program() -> Command {
    Command::new(env::current_exe().expect("this program"))
}

/// The process of the agents.
struct Responder(Child);

impl Responder {
    fn start(socket: &str) -> Self {
        let child = this_program().args(["respond", socket]).spawn();
        while StdStream::connect(socket).is_err() {
            std::thread::sleep(Duration::from_millis(1));
        }
        Self(child.expect("a process"))
    }
}

impl Drop for Responder {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
