//! What the benchmarks share: a peer that answers at once, the runtimes, and the comparison.

pub mod responder;
pub mod rounds;

use std::future::Future;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream as StdStream;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use criterion::Criterion;
use qga_core::{Client, QgaCommand, blocking};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::runtime::{Builder, Runtime};

/// Commands in a block; the contenders change places after each.
const BLOCK: u64 = 50;

/// Runs a command through a client and the same bytes over a bare `UnixStream`, in turn, in each
/// [`Place`]; `returned` is what the peer answers.
pub fn compare<C>(criterion: &mut Criterion, command: C, returned: &'static str)
where
    C: QgaCommand + Copy + Send + 'static,
{
    for place in Place::ALL {
        let runtime = place.runtime();
        let pairs = Arc::new(Mutex::new(Pairs::default()));
        let mut contenders = Some(Contenders::new(&runtime, returned));
        let mut group = criterion.benchmark_group(format!("{}/{place:?}", C::NAME));
        for (name, pick_ours) in [("bare", false), ("client", true)] {
            group.bench_function(name, |bencher| {
                bencher.iter_custom(|iterations| {
                    let count = iterations.div_ceil(BLOCK);
                    let run =
                        contenders
                            .take()
                            .expect("contenders")
                            .run(command, count, pairs.clone());
                    let (back, ours, bare) = place.run(&runtime, run);
                    contenders = Some(back);
                    let total = if pick_ours { ours } else { bare };
                    total.mul_f64(iterations as f64 / (count * BLOCK) as f64)
                });
            });
        }
        group.finish();
        let [low, median, high] = pairs.lock().expect("pairs").quartiles();
        println!(
            "{}/{place:?}: client / bare = {median:.3} (middle half {low:.3} to {high:.3})\n",
            C::NAME
        );
    }
}

/// The same of a blocking client, beside a bare blocking socket.
pub fn compare_blocking<C: QgaCommand + Copy>(
    criterion: &mut Criterion,
    command: C,
    returned: &'static str,
) {
    let [ours, mut bare] = peers(returned);
    let client = blocking::Client::new(ours);
    let request = format!("{{\"execute\":\"{}\",\"id\":1234567890123456}}\n", C::NAME);
    let mut buffer = vec![0; 64 * 1024];
    let mut pairs = Pairs::default();
    let mut group = criterion.benchmark_group(format!("{}/Blocking", C::NAME));
    for (name, pick_ours) in [("bare", false), ("client", true)] {
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|iterations| {
                let blocks = iterations.div_ceil(BLOCK);
                let mut total = Duration::ZERO;
                for _ in 0..blocks {
                    let bare_time = timed(|| {
                        bare_blocking(&mut bare, request.as_bytes(), &mut buffer);
                    });
                    let ours_time = timed(|| {
                        client.execute(command).expect("reply");
                    });
                    pairs.push(ours_time, bare_time);
                    total += if pick_ours { ours_time } else { bare_time };
                }
                total.mul_f64(iterations as f64 / (blocks * BLOCK) as f64)
            });
        });
    }
    group.finish();
    let [low, median, high] = pairs.quartiles();
    println!(
        "{}/Blocking: client / bare = {median:.3} (middle half {low:.3} to {high:.3})\n",
        C::NAME
    );
}

/// How long a block takes.
fn timed(mut exchange: impl FnMut()) -> Duration {
    let start = Instant::now();
    for _ in 0..BLOCK {
        exchange();
    }
    start.elapsed()
}

struct Contenders {
    client: Client,
    bare: UnixStream,
    buffer: Vec<u8>,
}

impl Contenders {
    fn new(runtime: &Runtime, returned: &'static str) -> Self {
        let _inside = runtime.enter();
        let [ours, bare] = peers(returned).map(stream);
        Self {
            client: Client::new(ours),
            bare,
            buffer: vec![0; 64 * 1024],
        }
    }

    async fn run<C: QgaCommand + Copy>(
        mut self,
        command: C,
        blocks: u64,
        pairs: Arc<Mutex<Pairs>>,
    ) -> (Self, Duration, Duration) {
        // As long as the client's own.
        let request = format!("{{\"execute\":\"{}\",\"id\":1234567890123456}}\n", C::NAME);
        let (mut ours_total, mut bare_total) = (Duration::ZERO, Duration::ZERO);
        for _ in 0..blocks {
            let start = Instant::now();
            for _ in 0..BLOCK {
                bare(&mut self.bare, request.as_bytes(), &mut self.buffer).await;
            }
            let bare_time = start.elapsed();
            let start = Instant::now();
            for _ in 0..BLOCK {
                self.client.execute(command).await.expect("reply");
            }
            let ours_time = start.elapsed();
            pairs.lock().expect("pairs").push(ours_time, bare_time);
            bare_total += bare_time;
            ours_total += ours_time;
        }
        (self, ours_total, bare_total)
    }
}

/// Our ends of two socket pairs. One thread answers both, so that both have it equally near: syncs
/// like an agent, and every other request with `returned` and the request's id.
fn peers(returned: &'static str) -> [StdStream; 2] {
    let pairs = [(); 2].map(|()| StdStream::pair().expect("socket pair"));
    let (ours, theirs) = (
        pairs.each_ref().map(|p| p.0.try_clone()),
        pairs.map(|p| p.1),
    );
    std::thread::spawn(move || {
        Place::CurrentThread.runtime().block_on(async {
            let [a, b] = theirs.map(stream);
            tokio::join!(answer(a, returned), answer(b, returned));
        });
    });
    ours.map(|stream| stream.expect("clone"))
}

/// Hands a standard stream to the current runtime.
fn stream(stream: StdStream) -> UnixStream {
    stream.set_nonblocking(true).expect("nonblocking");
    UnixStream::from_std(stream).expect("stream")
}

async fn answer(mut stream: UnixStream, returned: &str) -> Option<()> {
    let mut line = vec![0; 4096];
    loop {
        let count = stream
            .read(&mut line)
            .await
            .ok()
            .filter(|count| *count > 0)?;
        let text = String::from_utf8_lossy(&line[..count]);
        let id = text
            .rsplit_once("\"id\":")?
            .1
            .trim_end()
            .trim_end_matches('}');
        let sentinel: &[u8] = if line[0] == 0xFF { b"\xFF" } else { b"" };
        let returned = if line[0] == 0xFF { id } else { returned };
        let reply = format!("{{\"return\": {returned}, \"id\": {id}}}\n");
        stream
            .write_all(&[sentinel, reply.as_bytes()].concat())
            .await
            .ok()?;
    }
}

/// Sends the same bytes and reads the reply up to its newline, with nothing around them.
async fn bare(stream: &mut UnixStream, request: &[u8], buffer: &mut [u8]) {
    stream.write_all(request).await.expect("write");
    let mut filled = 0;
    while filled == 0 || buffer[filled - 1] != b'\n' {
        filled += stream.read(&mut buffer[filled..]).await.expect("read");
    }
}

fn bare_blocking(stream: &mut StdStream, request: &[u8], buffer: &mut [u8]) {
    stream.write_all(request).expect("write");
    let mut filled = 0;
    while filled == 0 || buffer[filled - 1] != b'\n' {
        filled += stream.read(&mut buffer[filled..]).expect("read");
    }
}

/// Where a measured loop runs.
#[derive(Clone, Copy, Debug)]
enum Place {
    /// On a current-thread runtime.
    CurrentThread,
    /// In a task on a multi-threaded runtime.
    MultiThreadSpawned,
    /// In the future that a multi-threaded runtime blocks on, as `main` is.
    MultiThreadMain,
}

impl Place {
    /// All of them.
    const ALL: [Self; 3] = [
        Self::CurrentThread,
        Self::MultiThreadSpawned,
        Self::MultiThreadMain,
    ];

    /// A runtime for this place.
    fn runtime(self) -> Runtime {
        match self {
            Self::CurrentThread => Builder::new_current_thread().enable_all().build(),
            _ => Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build(),
        }
        .expect("runtime")
    }

    /// Runs a future there to its end.
    fn run<T: Send + 'static>(
        self,
        runtime: &Runtime,
        future: impl Future<Output = T> + Send + 'static,
    ) -> T {
        match self {
            Self::MultiThreadSpawned => runtime.block_on(runtime.spawn(future)).expect("task"),
            _ => runtime.block_on(future),
        }
    }
}

/// Times of two contenders that ran in turn, block by block.
#[derive(Default)]
struct Pairs(Vec<(Duration, Duration)>);

impl Pairs {
    /// Adds a block of each.
    fn push(&mut self, ours: Duration, bare: Duration) {
        self.0.push((ours, bare));
    }

    /// The middle half of the ratios ours / bare: lower quartile, median, upper quartile.
    fn quartiles(&self) -> [f64; 3] {
        let mut ratios: Vec<f64> = self
            .0
            .iter()
            .map(|(ours, bare)| ours.as_secs_f64() / bare.as_secs_f64())
            .collect();
        ratios.sort_by(f64::total_cmp);
        [1, 2, 3].map(|quarter| {
            ratios
                .get(ratios.len() * quarter / 4)
                .copied()
                .unwrap_or(f64::NAN)
        })
    }
}
