//! How busy a copy of 64 MiB keeps a real agent, what memory it takes here, and how long it takes beside a bare blocking
//! client with two requests queued, in turns. The runtime has one thread, as in `qga`.
//!
//! An agent does one thing at a time, so a copy cannot go faster than when the agent's process has a
//! core to itself all the time. Prints, for each way to copy, that process's share of a core over the
//! whole call, the share of the time in which it could have had one, the rate, and by how much this
//! process has grown at most.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use base64_simd::STANDARD;
use qga_commands::Guest;
use qga_testserver::real_agent::RealAgent;

const LENGTH: usize = 64 * 1024 * 1024;
const ROUNDS: usize = 10;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let agent = match RealAgent::start_with(&["-b", "guest-shutdown,guest-fsfreeze-freeze"]).await {
        Ok(agent) => agent,
        Err(error) => return println!("left out: {error}"),
    };
    let guest = Guest::connect(agent.address()).await.expect("agent");
    let folder = tempfile::tempdir().expect("folder");
    let source = folder.path().join("source");
    let target = folder.path().join("target");
    std::fs::write(&source, content()).expect("source");
    let mut bare = Bare::new(&source, &target);
    let mut copies = BTreeMap::<_, Vec<Beside>>::new();
    for _ in 0..ROUNDS {
        // The agent serves one client at a time.
        assert!(guest.client().close_idle(), "somebody uses the channel");
        let read = measure("bare read", &agent, async || bare.read(agent.path())).await;
        let write = measure("bare write", &agent, async || bare.write(agent.path())).await;
        check(&target);
        let down = measure("download", &agent, || by_download(&guest, &source, &target)).await;
        check(&target);
        let up = measure("upload", &agent, || by_upload(&guest, &source, &target)).await;
        check(&target);
        measure("file", &agent, || by_file(&guest, &source, &target)).await;
        check(&target);
        let mut note = |name, ours: Taken, bare: Taken| {
            let rate = bare.wall.as_secs_f64() / ours.wall.as_secs_f64();
            copies.entry(name).or_default().push(Beside {
                busy: ours.busy,
                rate,
            });
        };
        note("download", down, read);
        note("upload", up, write);
    }
    for (name, copies) in copies {
        println!(
            "{name}: the agent is busy for {} % of the time, and the rate is {} of that of the bare client",
            spread(copies.iter().map(|copy| 100.0 * copy.busy), 1),
            spread(copies.iter().map(|copy| copy.rate), 3),
        );
    }
}

/// What one copy took.
struct Taken {
    wall: Duration,
    /// The agent's part of a core.
    busy: f64,
}

/// A copy, beside one by the bare client.
struct Beside {
    busy: f64,
    rate: f64,
}

/// The median, the least and the most.
fn spread(figures: impl Iterator<Item = f64>, digits: usize) -> String {
    let mut figures: Vec<f64> = figures.collect();
    figures.sort_by(f64::total_cmp);
    let [least, median, most] = [0, ROUNDS / 2, ROUNDS - 1].map(|at| figures[at]);
    format!("{median:.digits$} ({least:.digits$} to {most:.digits$})")
}

/// The least that copies, with two requests queued. Its writes are encoded ahead.
struct Bare {
    source: String,
    target: String,
    writes: Vec<String>,
}

/// What one of its requests moves, in bytes.
const CHUNK: usize = 256 * 1024;

impl Bare {
    fn new(source: &Path, target: &Path) -> Self {
        let encoded = |chunk| STANDARD.encode_to_string(chunk);
        Self {
            source: source.display().to_string(),
            target: target.display().to_string(),
            writes: content().chunks(CHUNK).map(encoded).collect(),
        }
    }

    fn read(&mut self, agent: &Path) {
        let mut stream = Talk::begin(agent);
        let handle = stream.open(&self.source, "r");
        let read = format!(
            r#"{{"execute":"guest-file-read","arguments":{{"handle":{handle},"count":{CHUNK}}}}}"#
        );
        let mut copy = Vec::with_capacity(LENGTH);
        let reads = std::iter::repeat_n(read, LENGTH / CHUNK);
        stream.all(reads, |reply| {
            let (_, rest) = reply.split_once(r#""buf-b64": ""#).expect("data");
            let (data, _) = rest.split_once('"').expect("data");
            STANDARD.decode_append(data, &mut copy).expect("base64");
        });
        assert_eq!(copy.len(), LENGTH);
        stream.close(handle);
    }

    fn write(&mut self, agent: &Path) {
        let mut stream = Talk::begin(agent);
        let handle = stream.open(&self.target, "w");
        let writes = self.writes.iter().map(|data| {
            format!(
                r#"{{"execute":"guest-file-write","arguments":{{"handle":{handle},"buf-b64":"{data}"}}}}"#
            )
        });
        stream.all(writes, |_| ());
        stream.close(handle);
    }
}

struct Talk {
    stream: UnixStream,
    replies: BufReader<UnixStream>,
}

impl Talk {
    fn begin(agent: &Path) -> Self {
        let stream = UnixStream::connect(agent).expect("connect");
        let replies = BufReader::with_capacity(CHUNK, stream.try_clone().expect("clone"));
        let mut talk = Self { stream, replies };
        talk.send("\u{FF}{\"execute\":\"guest-sync-delimited\",\"arguments\":{\"id\":1}}");
        while !talk.reply().contains(r#""return": 1"#) {}
        talk
    }

    fn open(&mut self, path: &str, mode: &str) -> String {
        self.send(&format!(
            r#"{{"execute":"guest-file-open","arguments":{{"path":"{path}","mode":"{mode}"}}}}"#
        ));
        let reply = self.reply();
        reply.chars().filter(char::is_ascii_digit).collect()
    }

    /// Sends each of them once there are no more than two without a reply.
    fn all(&mut self, mut requests: impl Iterator<Item = String>, mut take: impl FnMut(&str)) {
        let mut left = 0;
        for request in requests.by_ref().take(2) {
            self.send(&request);
            left += 1;
        }
        while left > 0 {
            let reply = self.reply();
            match requests.next() {
                Some(request) => self.send(&request),
                None => left -= 1,
            }
            take(&reply);
        }
    }

    fn close(&mut self, handle: String) {
        self.send(&format!(
            r#"{{"execute":"guest-file-close","arguments":{{"handle":{handle}}}}}"#
        ));
        self.reply();
    }

    fn send(&mut self, request: &str) {
        let mut bytes = Vec::with_capacity(request.len() + 1);
        // It begins with a byte that is no text.
        match request.strip_prefix('\u{FF}') {
            Some(rest) => bytes.extend([b"\xFF", rest.as_bytes()].concat()),
            None => bytes.extend_from_slice(request.as_bytes()),
        }
        bytes.push(b'\n');
        self.stream.write_all(&bytes).expect("send");
    }

    fn reply(&mut self) -> String {
        let mut line = Vec::new();
        self.replies.read_until(b'\n', &mut line).expect("reply");
        assert!(!line.is_empty(), "the agent has hung up");
        String::from_utf8_lossy(&line).into_owned()
    }
}

async fn by_upload(guest: &Guest, source: &Path, target: &Path) {
    let upload = guest.upload(source, target.display().to_string());
    upload.await.expect("upload");
}

async fn by_file(guest: &Guest, source: &Path, target: &Path) {
    let mut file = guest
        .open(source.display().to_string())
        .await
        .expect("open");
    let mut copy = tokio::fs::File::create(target).await.expect("create");
    tokio::io::copy_buf(
        &mut tokio::io::BufReader::with_capacity(256 * 1024, &mut file),
        &mut copy,
    )
    .await
    .expect("copy");
    tokio::io::AsyncWriteExt::flush(&mut copy)
        .await
        .expect("flush");
    file.close().await.expect("close");
}

async fn by_download(guest: &Guest, source: &Path, target: &Path) {
    let download = guest.download(source.display().to_string(), target);
    download.await.expect("download");
}

async fn measure<F: Future<Output = ()>>(
    name: &str,
    agent: &RealAgent,
    copy: impl FnOnce() -> F,
) -> Taken {
    // The peak of this process's memory is counted from here.
    std::fs::write("/proc/self/clear_refs", "5").expect("clear_refs");
    let memory = status("VmRSS");
    // What another copy has left to be written to the disk is not this one's work.
    let synced = Command::new("sync").status();
    assert!(synced.is_ok_and(|status| status.success()), "sync");
    let ([ran, waited], start) = (cpu_time(agent.pid()), Instant::now());
    copy().await;
    let wall = start.elapsed();
    let after = cpu_time(agent.pid());
    let (cpu, queued) = (after[0] - ran, after[1] - waited);
    println!(
        "{name:10} agent {:5.1} % of a core, {:5.1} % of what other processes left it, {:4.0} MiB/s, {:5.1} MiB of memory",
        100.0 * cpu.as_secs_f64() / wall.as_secs_f64(),
        100.0 * cpu.as_secs_f64() / (wall.saturating_sub(queued)).as_secs_f64(),
        LENGTH as f64 / (1 << 20) as f64 / wall.as_secs_f64(),
        (status("VmHWM") - memory) / 1024.0,
    );
    Taken {
        wall,
        busy: cpu.as_secs_f64() / wall.as_secs_f64(),
    }
}

/// How long a process has had a core, in user and kernel mode, and how long it waited for one that
/// others had.
fn cpu_time(pid: u32) -> [Duration; 2] {
    let text = std::fs::read_to_string(format!("/proc/{pid}/schedstat")).expect("schedstat");
    let mut words = text.split(' ');
    [(); 2].map(|()| {
        let nanoseconds = words.next().and_then(|word| word.parse().ok());
        Duration::from_nanos(nanoseconds.expect("nanoseconds"))
    })
}

/// A figure of this process, in KiB.
fn status(name: &str) -> f64 {
    let text = std::fs::read_to_string("/proc/self/status").expect("status");
    let line = text
        .lines()
        .find(|line| line.starts_with(name))
        .expect("line");
    let figure = line
        .split_whitespace()
        .nth(1)
        .and_then(|word| word.parse().ok());
    figure.expect("figure")
}

/// Bytes of which no two stretches are alike.
fn content() -> Vec<u8> {
    (0..LENGTH as u32 / 4).flat_map(u32::to_le_bytes).collect()
}

fn check(target: &Path) {
    assert!(
        std::fs::read(target).expect("target") == content(),
        "the copy differs"
    );
}
