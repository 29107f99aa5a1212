//! Channels that end after so many bytes, for tests in this process.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::{io, iter, thread};

use qga_commands::Guest;
use qga_core::{Client, Error};
use qga_testserver::TestAgent;
use tokio::io::{
    AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, DuplexStream, duplex, split,
};
use tokio::runtime::Builder;

/// Runs what is cut once in a runtime of its own, with paused time. What that leaves in the background, such as attempts to
/// remove something, ends with it.
pub(crate) fn alone<T>(run: impl Future<Output = T>) -> T {
    let mut runtime = Builder::new_current_thread();
    let runtime = runtime.enable_all().start_paused(true).build().unwrap();
    runtime.block_on(run)
}

/// How many cuts are made at once. Most of a download's time is waiting for the disk.
const THREADS: usize = 4;

/// Makes a cut after each number of bytes below this one.
pub(crate) fn at_each_byte(all: u64, cut: impl Fn(u64) + Sync) {
    let next = AtomicU64::new(0);
    let cuts = || {
        let numbers = iter::repeat_with(|| next.fetch_add(1, Ordering::Relaxed));
        numbers.take_while(|bytes| *bytes < all).for_each(&cut);
    };
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(cuts);
        }
    });
}

/// Where a channel is cut.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Cut {
    /// After so many bytes from the agent.
    Answers(u64),
    /// After so many bytes to the agent.
    Requests(u64),
}

impl Cut {
    pub(crate) fn at(self, bytes: u64) -> Self {
        match self {
            Self::Answers(_) => Self::Answers(bytes),
            Self::Requests(_) => Self::Requests(bytes),
        }
    }
}

/// What there is after the cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum After {
    Nothing,
    /// A whole channel to the same agent.
    Another,
}

/// A channel that is cut once.
#[derive(Clone)]
pub(crate) struct Line {
    agent: Arc<TestAgent>,
    cut: Cut,
    after: After,
    is_used: Arc<AtomicBool>,
    passed: Arc<AtomicU64>,
}

impl Line {
    pub(crate) fn new(agent: &Arc<TestAgent>, cut: Cut, after: After) -> Self {
        Self {
            agent: Arc::clone(agent),
            cut,
            after,
            is_used: Arc::default(),
            passed: Arc::default(),
        }
    }

    /// Connects; an error if the cut comes too early for that.
    pub(crate) async fn guest(&self) -> Result<Guest, Error> {
        let line = self.clone();
        let open = move || {
            let stream = line.open();
            async move { stream }
        };
        Client::builder().connect_with(open).await.map(Guest::new)
    }

    /// How many bytes have gone where the cut was to be.
    pub(crate) fn passed(&self) -> u64 {
        self.passed.load(Ordering::Relaxed)
    }

    fn open(&self) -> io::Result<DuplexStream> {
        if self.is_used.swap(true, Ordering::Relaxed) {
            return match self.after {
                After::Nothing => Err(io::ErrorKind::ConnectionRefused.into()),
                After::Another => Ok(self.agent.connect()),
            };
        }
        let (ours, end) = duplex(64 << 10);
        tokio::spawn(self.clone().pass_on(self.agent.connect(), end));
        Ok(ours)
    }

    async fn pass_on(self, agent: DuplexStream, client: DuplexStream) {
        let (mut answers, mut to_agent) = split(agent);
        let (mut requests, mut to_client) = split(client);
        let uncounted = AtomicU64::new(0);
        let (most_answers, most_requests, answered, requested) = match self.cut {
            Cut::Answers(most) => (most, u64::MAX, &*self.passed, &uncounted),
            Cut::Requests(most) => (u64::MAX, most, &uncounted, &*self.passed),
        };
        tokio::select! {
            () = pass(&mut answers, &mut to_client, most_answers, answered) => {}
            () = pass(&mut requests, &mut to_agent, most_requests, requested) => {}
        }
    }
}

async fn pass(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
    most: u64,
    passed: &AtomicU64,
) {
    let mut from = from.take(most);
    let mut buffer = vec![0; 16 << 10];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        passed.fetch_add(count as u64, Ordering::Relaxed);
        if to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}
