//! How the cost of an exchange grows with the work: `growth` prints, for each curve and each amount of work, the time of
//! one exchange in nanoseconds, of the client over tokio on one thread and of a bare socket.
//!
//! The agent answers in a process of its own, `growth respond SOCKET`.

use std::env;
use std::hint::black_box;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use benches::responder::respond;
use qga_commands::commands::agent::Ping;
use qga_commands::commands::file::FileRead;
use qga_core::Client;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::runtime::Builder;
use tokio::task::JoinSet;

/// How often each amount of work is done by either; the quickest counts, since all else is the machine's doing.
const ROUNDS: usize = 5;

fn main() -> io::Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if let [order, socket] = &*arguments
        && order == "respond"
    {
        thread::spawn(|| {
            let _ = io::copy(&mut io::stdin(), &mut io::sink());
            std::process::exit(0);
        });
        return respond(Path::new(socket));
    }
    let agent = Agent::start()?;
    let runtime = Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        reply_size(&agent.socket).await;
        queued(&agent.socket).await;
        tasks(&agent.socket).await;
        clients(&agent.socket).await;
    });
    Ok(())
}

fn tell(curve: &str, work: usize, ours: Duration, bare: Duration) {
    println!("{curve} {work} {} {}", ours.as_nanos(), bare.as_nanos());
}

/// One read of so many bytes.
async fn reply_size(socket: &Path) {
    let client = Client::connect(socket).await.expect("a client");
    let mut bare = Bare::connect(socket).await;
    for power in 0..=8 {
        let bytes = 1024 << (2 * power);
        let times = (64 >> power).max(1);
        let read = FileRead::new(1000).count(i64::from(bytes));
        let request = format!(
            "{{\"execute\":\"guest-file-read\",\"arguments\":{{\"handle\":1000,\"count\":{bytes}}},\"id\":1}}\n"
        );
        let (mut ours, mut theirs) = (Duration::MAX, Duration::MAX);
        for _ in 0..ROUNDS {
            let start = Instant::now();
            for _ in 0..times {
                black_box(client.execute(&read).await.expect("a reply"));
            }
            ours = ours.min(start.elapsed() / times);
            let start = Instant::now();
            for _ in 0..times {
                bare.exchange(request.as_bytes(), 1).await;
            }
            theirs = theirs.min(start.elapsed() / times);
        }
        tell("reply-bytes", bytes as usize, ours, theirs);
    }
}

/// Pings of which so many are in flight.
async fn queued(socket: &Path) {
    const PINGS: u32 = 2048;
    let client = Client::connect(socket).await.expect("a client");
    let mut bare = Bare::connect(socket).await;
    for power in 0..=6 {
        let ahead = 1_usize << power;
        let (mut ours, mut theirs) = (Duration::MAX, Duration::MAX);
        let requests = ping().repeat(ahead);
        for _ in 0..ROUNDS {
            let start = Instant::now();
            let pings = (0..PINGS).map(|_| Ping);
            let mut results = client.pipeline(pings).in_flight(ahead);
            while let Some(result) = results.next().await {
                result.expect("a reply");
            }
            drop(results);
            ours = ours.min(start.elapsed() / PINGS);
            let start = Instant::now();
            for _ in 0..PINGS as usize / ahead {
                bare.exchange(&requests, ahead).await;
            }
            theirs = theirs.min(start.elapsed() / PINGS);
        }
        tell("in-flight", ahead, ours, theirs);
    }
}

/// Pings of so many tasks that share a client, beside one that sends them all over a bare socket.
async fn tasks(socket: &Path) {
    const PINGS: usize = 10_000;
    let client = Client::connect(socket).await.expect("a client");
    let mut bare = Bare::connect(socket).await;
    for tasks in [1, 10, 100, 1000] {
        let each = PINGS / tasks;
        let (mut ours, mut theirs) = (Duration::MAX, Duration::MAX);
        for _ in 0..ROUNDS {
            let start = Instant::now();
            let mut running = JoinSet::new();
            for _ in 0..tasks {
                let client = client.clone();
                running.spawn(async move {
                    for _ in 0..each {
                        client.execute(Ping).await.expect("a reply");
                    }
                });
            }
            running.join_all().await;
            ours = ours.min(start.elapsed() / PINGS as u32);
            let start = Instant::now();
            for _ in 0..PINGS {
                bare.exchange(&ping(), 1).await;
            }
            theirs = theirs.min(start.elapsed() / PINGS as u32);
        }
        tell("tasks", tasks, ours, theirs);
    }
}

/// A ping of each of so many clients, all at once.
async fn clients(socket: &Path) {
    for count in [1, 10, 100, 1000, 10_000] {
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..count {
            ours.push(Arc::new(Client::connect(socket).await.expect("a client")));
        }
        let took = quickest(count, || {
            let clients = ours.iter().cloned();
            let pings = clients.map(|client| async move {
                client.execute(Ping).await.expect("a reply");
            });
            pings.collect()
        });
        let took = took.await;
        drop(ours);
        for _ in 0..count {
            theirs.push(Arc::new(tokio::sync::Mutex::new(
                Bare::connect(socket).await,
            )));
        }
        let bare = quickest(count, || {
            let streams = theirs.iter().cloned();
            let pings = streams.map(|stream| async move {
                stream.lock().await.exchange(&ping(), 1).await;
            });
            pings.collect()
        });
        tell("clients", count, took, bare.await);
    }
}

async fn quickest<F>(count: usize, make: impl Fn() -> Vec<F>) -> Duration
where
    F: Future<Output = ()> + Send + 'static,
{
    let mut best = Duration::MAX;
    for _ in 0..ROUNDS {
        let work = make();
        let start = Instant::now();
        let running: JoinSet<()> = work.into_iter().collect();
        running.join_all().await;
        best = best.min(start.elapsed() / u32::try_from(count).expect("a number"));
    }
    best
}

fn ping() -> Vec<u8> {
    b"{\"execute\":\"guest-ping\",\"id\":1234567890123456}\n".to_vec()
}

/// A socket and what was read from it.
struct Bare {
    stream: UnixStream,
    buffer: Vec<u8>,
}

impl Bare {
    async fn connect(socket: &Path) -> Self {
        // One that does not block is refused while many others wait to be accepted.
        let stream = std::os::unix::net::UnixStream::connect(socket).expect("a stream");
        stream.set_nonblocking(true).expect("a stream");
        let stream = UnixStream::from_std(stream).expect("a stream");
        let buffer = vec![0; 128 * 1024];
        Self { stream, buffer }
    }

    /// Sends these requests, and reads so many lines.
    async fn exchange(&mut self, requests: &[u8], lines: usize) {
        self.stream.write_all(requests).await.expect("written");
        let mut left = lines;
        while left > 0 {
            let count = self.stream.read(&mut self.buffer).await.expect("a reply");
            assert!(count > 0, "the agent hung up");
            left -= self.buffer[..count]
                .iter()
                .filter(|byte| **byte == b'\n')
                .count();
        }
    }
}

/// The process that answers. It ends with this one's end of its input.
struct Agent {
    socket: PathBuf,
    process: Child,
    _folder: tempfile::TempDir,
}

impl Agent {
    fn start() -> io::Result<Self> {
        let folder = tempfile::tempdir()?;
        let socket = folder.path().join("agent");
        let process = Command::new(env::current_exe()?)
            .arg("respond")
            .arg(&socket)
            .stdin(Stdio::piped())
            .spawn()?;
        while std::os::unix::net::UnixStream::connect(&socket).is_err() {
            thread::sleep(Duration::from_millis(1));
        }
        Ok(Self {
            socket,
            process,
            _folder: folder,
        })
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
