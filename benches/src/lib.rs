//! What the benchmarks share: a peer that answers at once, the runtimes, and the comparison.

use std::future::Future;
use std::os::unix::net::UnixStream as StdStream;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::runtime::{Builder, Runtime};

/// Our ends of two socket pairs. One thread answers both, so that both have it equally near: syncs
/// like an agent, and every other request with `returned` and the request's id.
pub fn peers(returned: &'static str) -> [StdStream; 2] {
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
pub fn stream(stream: StdStream) -> UnixStream {
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
pub async fn bare(stream: &mut UnixStream, request: &[u8], buffer: &mut [u8]) {
    stream.write_all(request).await.expect("write");
    let mut filled = 0;
    while filled == 0 || buffer[filled - 1] != b'\n' {
        filled += stream.read(&mut buffer[filled..]).await.expect("read");
    }
}

/// Where a measured loop runs.
#[derive(Clone, Copy, Debug)]
pub enum Place {
    /// On a current-thread runtime.
    CurrentThread,
    /// In a task on a multi-threaded runtime.
    MultiThreadSpawned,
    /// In the future that a multi-threaded runtime blocks on, as `main` is.
    MultiThreadMain,
}

impl Place {
    /// All of them.
    pub const ALL: [Self; 3] = [
        Self::CurrentThread,
        Self::MultiThreadSpawned,
        Self::MultiThreadMain,
    ];

    /// A runtime for this place.
    pub fn runtime(self) -> Runtime {
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
    pub fn run<T: Send + 'static>(
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
pub struct Pairs(Vec<(Duration, Duration)>);

impl Pairs {
    /// Adds a block of each.
    pub fn push(&mut self, ours: Duration, bare: Duration) {
        self.0.push((ours, bare));
    }

    /// The middle half of the ratios ours / bare: lower quartile, median, upper quartile.
    pub fn quartiles(&self) -> [f64; 3] {
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

/// How long a future takes.
pub async fn timed(future: impl Future<Output = ()>) -> Duration {
    let start = Instant::now();
    future.await;
    start.elapsed()
}
