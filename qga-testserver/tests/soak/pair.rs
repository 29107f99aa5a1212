use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use qga_core::{Client, Error, Execution, Options, QgaCommand};
use qga_testserver::{Request, TestAgent};
use serde_json::Value;
use tokio::time::timeout;

use crate::faults::let_go_wrong;

/// Not to be sent twice.
#[derive(QgaCommand)]
#[qga(name = "soak-run", response = u64)]
struct Run {
    serial: u64,
}

/// May be sent twice.
#[derive(Clone, QgaCommand)]
#[qga(name = "soak-ask", response = u64, retry = Safe)]
struct Ask {
    serial: u64,
}

const TIMEOUT: Duration = Duration::from_millis(300);
/// How long a command may be late on a busy machine before it hangs.
const HANGS: Duration = Duration::from_secs(30);
/// After so many steps the agent forgets its requests.
const ROUND: u64 = 200;

/// What came of all commands.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    pub(crate) answered: u64,
    dropped: u64,
    not_run: u64,
    maybe_run: u64,
    slowest: Duration,
}

impl Figures {
    pub(crate) fn add(&mut self, other: &Self) {
        self.answered += other.answered;
        self.dropped += other.dropped;
        self.not_run += other.not_run;
        self.maybe_run += other.maybe_run;
        self.slowest = self.slowest.max(other.slowest);
    }

    fn count(&mut self, serial: u64, result: Result<u64, Error>) {
        match result {
            Ok(answer) => {
                assert_eq!(answer, serial, "a reply went to another command");
                self.answered += 1;
            }
            Err(error) if error.execution() == Execution::NotRun => self.not_run += 1,
            Err(error) => {
                assert!(error.agent_error().is_none(), "{error}");
                self.maybe_run += 1;
            }
        }
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} commands answered, {} not run, {} maybe run, {} dropped, the slowest took {:?}",
            self.answered, self.not_run, self.maybe_run, self.dropped, self.slowest
        )
    }
}

/// The next number of a simple generator.
fn next(random: &mut u64) -> u64 {
    *random = random.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mixed = (*random ^ (*random >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed ^ (mixed >> 29)
}

/// One client and its agent, until they are to stop.
pub(crate) async fn run_pair(seed: u64, stop: Arc<AtomicBool>) -> Figures {
    let mut random = seed;
    let mut figures = Figures::default();
    let agent = TestAgent::start().await;
    let ledger = Arc::new(Ledger::default());
    set_up(&agent, &ledger);
    let options = Options::new().timeout(TIMEOUT).reply_limit(64 * 1024);
    let builder = Client::builder().options(options).connect_timeout(HANGS);
    let client = builder.connect(agent.address()).await.unwrap();
    let_go_wrong(&agent, next(&mut random));
    let mut serial = 0;
    while !stop.load(Relaxed) {
        step(&client, &mut random, &mut serial, &mut figures).await;
        assert_eq!(ledger.twice.load(Relaxed), 0, "a command ran twice");
        if serial % ROUND < 4 {
            agent.reset();
            set_up(&agent, &ledger);
            let_go_wrong(&agent, next(&mut random));
        }
    }
    figures
}

/// What an agent ran last, and what it was given out of order.
#[derive(Default)]
struct Ledger {
    latest: AtomicU64,
    twice: AtomicU64,
}

/// The agent returns the serial; one that came before is a command that ran twice.
fn set_up(agent: &TestAgent, ledger: &Arc<Ledger>) {
    let serial = |request: &Request| request.arguments["serial"].as_u64().unwrap();
    let ledger = Arc::clone(ledger);
    agent.on("soak-run").reply_with(move |request| {
        let serial = serial(request);
        if ledger.latest.swap(serial, Relaxed) >= serial {
            ledger.twice.store(serial, Relaxed);
        }
        Value::from(serial)
    });
    agent
        .on("soak-ask")
        .reply_with(move |request| Value::from(serial(request)));
}

async fn step(client: &Client, random: &mut u64, serial: &mut u64, figures: &mut Figures) {
    let start = Instant::now();
    *serial += 1;
    let number = *serial;
    match next(random) % 20 {
        0..7 => figures.count(number, ends(client.execute(Ask { serial: number })).await),
        7..14 => figures.count(number, ends(client.execute(Run { serial: number })).await),
        14..17 => {
            let patience = Duration::from_micros(next(random) % 500);
            match timeout(patience, client.execute(Run { serial: number })).await {
                Ok(result) => figures.count(number, result),
                Err(_) => figures.dropped += 1,
            }
        }
        17 => {
            let last = number + 9;
            let mut asks = client.pipeline((number..=last).map(|serial| Ask { serial }));
            *serial = last;
            let mut sent = number..=last;
            while let Some(result) = ends(asks.next()).await {
                figures.count(sent.next().unwrap(), result);
            }
        }
        _ => tokio::time::sleep(Duration::from_millis(next(random) % 20)).await,
    }
    figures.slowest = figures.slowest.max(start.elapsed());
}

async fn ends<T>(future: impl Future<Output = T>) -> T {
    timeout(HANGS, future).await.expect("a command hangs")
}
