//! What a client and a fake agent keep in memory while nobody uses them: `memory` prints it for each kind, and
//! `memory KIND COUNT` for so many of one kind. Each client has sent one ping.
//!
//! A kind is measured in a process of its own by the memory that it has resident, so what the kernel keeps of a
//! socket does not count. The agent that the clients ping runs in yet another process, `memory respond SOCKET`.

use std::env;
use std::fs;
use std::process::{Child, Command};
use std::thread;
use std::time::Duration;

use qga_commands::Guest;
use qga_core::{Client, QgaCommand, blocking};
use qga_testserver::TestAgent;
use qga_testserver::real_agent::RealAgent;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::oneshot;

#[derive(Clone, Copy, QgaCommand)]
#[qga(name = "guest-ping")]
struct Ping;

/// The kinds, and how many of each are made: of some only as many as there are descriptors for.
const KINDS: [(&str, usize); 11] = [
    ("bare-stream", 10_000),
    ("stream", 10_000),
    ("address", 10_000),
    ("custom", 10_000),
    ("at-once", 10_000),
    ("task-each", 10_000),
    ("blocking", 10_000),
    ("in-flight", 10_000),
    ("fake", 10_000),
    ("fake-used", 10_000),
    ("fake-unix", 3_000),
];

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        [] => measure_all(),
        ["download"] => runtime().block_on(download()),
        ["respond", socket] => runtime().block_on(respond(socket)),
        [kind, count] => measure(kind, count.parse().expect("a number")),
        _ => panic!("usage: memory [KIND COUNT]"),
    }
}

fn measure_all() {
    for (kind, count) in KINDS {
        let status = this_program()
            .args([kind, &count.to_string()])
            .status()
            .expect("a process");
        assert!(status.success(), "{kind}: {status}");
    }
    let (_agent, stream) = tokio::io::duplex(64);
    let client = Client::new(stream);
    let connecting = size_of_val(&Client::connect("unix:/run/vm1/qga.sock"));
    println!("{:<12} {connecting:>7} bytes", "connect()");
    let running = size_of_val(&client.execute(Ping));
    println!("{:<12} {running:>7} bytes", "execute()");
    let status = this_program().arg("download").status();
    assert!(status.expect("a process").success(), "the download");
}

/// Downloads a file of 1 GiB from a real agent, and tells how much memory this process has had at most.
async fn download() {
    const LENGTH: u64 = 1 << 30;
    let folder = tempfile::tempdir().expect("a folder");
    let (here, there) = (folder.path().join("here"), folder.path().join("there"));
    let file = fs::File::create(&there).expect("a file");
    file.set_len(LENGTH).expect("a file");
    let agent = RealAgent::start().await.expect("an agent");
    let guest = Guest::connect(agent.address()).await.expect("a guest");
    let before = of_this_process("VmRSS:");
    let copied = guest.download(there.display().to_string(), &here).await;
    copied.expect("a copy");
    assert_eq!(fs::metadata(&here).expect("a file").len(), LENGTH);
    let most = of_this_process("VmHWM:") - before;
    println!(
        "{:<12} {most:>7} bytes more at most, for 1 GiB",
        "download()"
    );
}

fn this_program() -> Command {
    Command::new(env::current_exe().expect("a program"))
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
}

fn measure(kind: &str, count: usize) {
    let responder = Responder::start();
    let socket = responder.socket.as_str();
    let runtime = runtime();
    runtime.block_on(async {
        match kind {
            "bare-stream" => each(kind, count, async || bare(socket).await).await,
            "stream" => {
                let make = async || pinged(Client::new(connect(socket).await)).await;
                each(kind, count, make).await;
            }
            "address" => {
                let make = async || pinged(Client::connect(socket).await.expect("a client")).await;
                each(kind, count, make).await;
            }
            "custom" => {
                let make = async || {
                    let path = socket.to_owned();
                    let open = move || UnixStream::connect(path.clone());
                    let client = Client::builder().connect_with(open).await;
                    pinged(client.expect("a client")).await
                };
                each(kind, count, make).await;
            }
            "at-once" => at_once(kind, count, socket).await,
            "task-each" => {
                let make = async || {
                    let (address, (ready, done)) = (socket.to_owned(), oneshot::channel());
                    tokio::spawn(async move {
                        let client = Client::connect(address).await.expect("a client");
                        client.execute(Ping).await.expect("a reply");
                        let _ = ready.send(());
                        std::future::pending::<()>().await;
                        drop(client);
                    });
                    done.await.expect("a client");
                };
                each(kind, count, make).await;
            }
            "blocking" => {
                let make = async || {
                    let client = blocking::Client::connect(socket).expect("a client");
                    client.execute(Ping).expect("a reply");
                    client
                };
                each(kind, count, make).await;
            }
            "in-flight" => {
                let make = async || {
                    let client = pinged(Client::connect(socket).await.expect("a client")).await;
                    let command = client.clone();
                    let waiting = tokio::spawn(async move {
                        let _ = command.execute_raw("never", Value::Null).await;
                    });
                    tokio::task::yield_now().await;
                    (client, waiting)
                };
                each(kind, count, make).await;
            }
            "fake" => {
                let make = async || {
                    let (agent, stream) = TestAgent::in_memory();
                    (agent, pinged(Client::new(stream)).await)
                };
                each(kind, count, make).await;
            }
            "fake-used" => {
                let make = async || {
                    let (agent, stream) = TestAgent::in_memory();
                    agent.edit_guest(|guest| guest.host_name = "db1".into());
                    (agent, used(Client::new(stream)).await)
                };
                each(kind, count, make).await;
            }
            "fake-unix" => {
                let make = async || {
                    let agent = TestAgent::start().await;
                    let client = Client::connect(agent.path()).await.expect("a client");
                    (agent, pinged(client).await)
                };
                each(kind, count, make).await;
            }
            _ => panic!("there is no kind {kind}"),
        }
    });
}

/// The same of clients that are connected and used side by side, as those of a fleet are.
async fn at_once(kind: &str, count: usize, socket: &str) {
    let before = resident();
    let mut tasks = Vec::with_capacity(count);
    for _ in 0..count {
        let address = socket.to_owned();
        let patient = Client::builder().connect_timeout(Duration::from_secs(60));
        tasks.push(tokio::spawn(async move {
            pinged(patient.connect(address).await.expect("a client")).await
        }));
    }
    let mut clients = Vec::with_capacity(count);
    for task in tasks {
        clients.push(task.await.expect("a client"));
    }
    tell(kind, before, count);
}

/// Makes so many, and prints what one of them takes.
async fn each<T>(kind: &str, count: usize, make: impl AsyncFn() -> T) {
    // What is made once is nobody's.
    let mut made = Vec::with_capacity(count + 100);
    for _ in 0..100 {
        made.push(make().await);
    }
    let before = resident();
    for _ in 0..count {
        made.push(make().await);
    }
    tell(kind, before, count);
}

fn tell(kind: &str, before: u64, count: usize) -> ! {
    let bytes = resident().saturating_sub(before) / count as u64;
    println!("{kind:<12} {bytes:>7} bytes each ({count})");
    std::process::exit(0);
}

/// The memory that this process has now, in bytes.
fn resident() -> u64 {
    of_this_process("VmRSS:")
}

fn of_this_process(key: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("status");
    let line = status.lines().find_map(|line| line.strip_prefix(key));
    let kib = line.expect("its memory").trim().trim_end_matches(" kB");
    kib.parse::<u64>().expect("a number") * 1024
}

async fn connect(socket: &str) -> UnixStream {
    UnixStream::connect(socket).await.expect("a stream")
}

async fn pinged(client: Client) -> Client {
    client.execute(Ping).await.expect("a reply");
    client
}

/// A client that has asked who the guest is, and has read a file.
async fn used(client: Client) -> Client {
    let run = async |command: &'static str, arguments: Value| {
        let answer = client.execute_raw(command, arguments).await;
        answer.expect("an answer")
    };
    run("guest-info", Value::Null).await;
    run("guest-get-host-name", Value::Null).await;
    run("guest-network-get-interfaces", Value::Null).await;
    let handle = run("guest-file-open", json!({"path": "/etc/hostname"})).await;
    let handle = json!({ "handle": handle });
    run("guest-file-read", handle.clone()).await;
    run("guest-file-close", handle).await;
    client
}

async fn bare(socket: &str) -> UnixStream {
    let mut stream = connect(socket).await;
    let request = b"{\"execute\":\"guest-ping\",\"id\":1}\n";
    stream.write_all(request).await.expect("written");
    let mut reply = [0; 4096];
    assert!(stream.read(&mut reply).await.expect("a reply") > 0);
    stream
}

/// The process of the agents that clients ping. It ends with this one's end of its input.
struct Responder {
    socket: String,
    process: Child,
    _folder: tempfile::TempDir,
}

impl Responder {
    fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let socket = folder.path().join("agent").display().to_string();
        let process = this_program()
            .args(["respond", &socket])
            .stdin(std::process::Stdio::piped())
            .spawn()
            .expect("a process");
        while std::os::unix::net::UnixStream::connect(&socket).is_err() {
            thread::sleep(Duration::from_millis(1));
        }
        Self {
            socket,
            process,
            _folder: folder,
        }
    }
}

impl Drop for Responder {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Answers syncs and pings on all connections, until nobody holds the other end of the standard input.
async fn respond(socket: &str) {
    let listener = UnixListener::bind(socket).expect("a socket");
    thread::spawn(|| {
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        std::process::exit(0);
    });
    loop {
        let (stream, _) = listener.accept().await.expect("a client");
        tokio::spawn(answer(stream));
    }
}

async fn answer(mut stream: UnixStream) -> Option<()> {
    let mut buffer = [0; 256];
    loop {
        let count = stream.read(&mut buffer).await.ok().filter(|n| *n > 0)?;
        let request = String::from_utf8_lossy(&buffer[..count]);
        let (_, id) = request.rsplit_once("\"id\":")?;
        let id = id.trim_end().trim_end_matches('}');
        if request.contains("\"never\"") {
            continue;
        }
        let (first, returned) = match buffer[0] {
            0xFF => (&b"\xFF"[..], id),
            _ => (&b""[..], "{}"),
        };
        let reply = format!("{{\"return\": {returned}, \"id\": {id}}}\n");
        let bytes = [first, reply.as_bytes()].concat();
        stream.write_all(&bytes).await.ok()?;
    }
}
