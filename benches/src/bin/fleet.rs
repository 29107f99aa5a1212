//! Fleets, beside what they cannot be faster than:
//!
//! - `fleet agents [COUNT]` starts so many real agents, 1,000 unless told, and asks all of them what they run, by a
//!   fleet and by bare sockets, in turn;
//! - `fleet fakes [COUNT]` asks so many fake agents in memory, 10,000 unless told, once where all of them answer and
//!   once where 1% hang and 1% are dead, each in a process of its own.

use std::env;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use qga_commands::commands::os::GetOsInfo;
use qga_core::{Client, Fleet};
use qga_testserver::real_agent::RealAgent;
use qga_testserver::{Fault, TestAgent};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::runtime::{Builder, Runtime};
use tokio::task::{JoinSet, LocalSet};

const CONCURRENCY: usize = 64;
const ROUNDS: usize = 15;
/// The same where some hang: what divides their number, so that they take whole rounds.
const CONCURRENCY_OF_FAKES: usize = 50;
/// The time of a guest, where some hang.
const PER_GUEST: Duration = Duration::from_secs(1);

/// The bare sockets: whether they synchronize, and whether they stay in one thread, as a fleet does.
const BARE: [(&str, bool, bool); 4] = [
    ("bare", false, true),
    ("bare with a sync", true, true),
    ("bare in tasks of their own", false, false),
    ("bare with a sync in tasks of their own", true, false),
];

const SYNC: &[u8] =
    b"\xFF{\"execute\":\"guest-sync-delimited\",\"arguments\":{\"id\":123456},\"id\":123456}\n";
const REQUEST: &[u8] = b"{\"execute\":\"guest-get-osinfo\",\"id\":1234567890123456}\n";

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match *arguments {
        ["agents"] => agents(1000),
        ["agents", count] => agents(number(count)),
        ["fakes"] => compare_fakes(10_000),
        ["fakes", count] => compare_fakes(number(count)),
        ["fakes", count, bad] => one_thread().block_on(fakes(number(count), number(bad))),
        _ => panic!("usage: fleet agents|fakes [COUNT]"),
    }
}

fn number(text: &str) -> usize {
    text.parse().expect("a number")
}

fn one_thread() -> Runtime {
    let runtime = Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime")
}

fn agents(count: usize) {
    let start = Instant::now();
    let agents = one_thread().block_on(start_agents(count));
    println!("{count} agents, started in {:.1?}", start.elapsed());
    println!("in one thread:");
    one_thread().block_on(compare(&agents));
    println!("in several threads:");
    Runtime::new()
        .expect("a runtime")
        .block_on(compare(&agents));
}

async fn compare(agents: &[RealAgent]) {
    let addresses = agents.iter().map(RealAgent::address);
    let paths: Arc<[_]> = agents.iter().map(|agent| agent.path().to_owned()).collect();
    let fleet = Fleet::new(addresses).concurrency(CONCURRENCY);
    let mut by_fleet = Vec::new();
    let mut by_bare = BARE.map(|(name, ..)| (name, Vec::new()));
    for _ in 0..ROUNDS {
        by_fleet.push(time(ask(&fleet)).await);
        for ((_, times), (_, syncs, in_one_task)) in by_bare.iter_mut().zip(BARE) {
            let work = LocalSet::new();
            times.push(time(work.run_until(bare(&paths, syncs, in_one_task))).await);
        }
    }
    let ms = |times: &[Duration]| median(times.iter().map(|time| time.as_secs_f64() * 1000.0));
    for (name, times) in by_bare {
        let pairs = by_fleet.iter().zip(&times);
        let ratio = median(pairs.map(|(a, b)| a.as_secs_f64() / b.as_secs_f64()));
        let (ours, theirs) = (ms(&by_fleet), ms(&times));
        println!("  fleet / {name} = {ratio:.3} ({ours:.0} ms / {theirs:.0} ms)");
    }
}

async fn start_agents(count: usize) -> Vec<RealAgent> {
    let mut starting = JoinSet::new();
    let mut agents = Vec::new();
    for _ in 0..count {
        starting.spawn(RealAgent::start());
        if starting.len() == 16 {
            agents.extend(starting.join_next().await);
        }
    }
    while let Some(agent) = starting.join_next().await {
        agents.push(agent);
    }
    let agents = agents.into_iter().map(|agent| agent.expect("a task"));
    agents.map(|agent| agent.expect("an agent")).collect()
}

async fn ask(fleet: &Fleet) {
    let mut run = fleet.run(|client| async move { client.execute(GetOsInfo).await });
    while let Some(guest) = run.next().await {
        guest.result.expect("an answer");
    }
}

/// As many loops as the fleet's concurrency, each of which asks one agent after the other.
async fn bare(paths: &Arc<[PathBuf]>, syncs: bool, in_one_task: bool) {
    let next = Arc::new(AtomicUsize::new(0));
    let mut tasks = JoinSet::new();
    for _ in 0..CONCURRENCY {
        let (paths, next) = (Arc::clone(paths), Arc::clone(&next));
        let work = async move {
            while let Some(path) = paths.get(next.fetch_add(1, Ordering::Relaxed)) {
                let mut stream = UnixStream::connect(path).await.expect("a socket");
                if syncs {
                    // What an agent says of the byte in front is a line too.
                    exchange(&mut stream, SYNC, 2).await;
                }
                exchange(&mut stream, REQUEST, 1).await;
            }
        };
        if in_one_task {
            tasks.spawn_local(work);
        } else {
            tasks.spawn(work);
        }
    }
    tasks.join_all().await;
}

/// Sends bytes, and reads so many lines.
async fn exchange(stream: &mut UnixStream, request: &[u8], lines: usize) {
    stream.write_all(request).await.expect("write");
    let mut buffer = [0; 4096];
    let mut left = lines;
    while left > 0 {
        let count = stream.read(&mut buffer).await.expect("read");
        assert_ne!(count, 0, "the agent has ended");
        left -= buffer[..count]
            .iter()
            .filter(|byte| **byte == b'\n')
            .count();
    }
}

async fn time(work: impl Future<Output = ()>) -> Duration {
    let start = Instant::now();
    work.await;
    start.elapsed()
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Both fleets, each in a process of its own, so that neither has the other's memory.
fn compare_fakes(count: usize) {
    for bad in [0, count / 100] {
        let program = env::current_exe().expect("this program");
        let mut child = Command::new(program);
        child.args(["fakes", &count.to_string(), &bad.to_string()]);
        assert!(child.status().expect("a child").success());
    }
    let hung = u32::try_from(count / 100).expect("so many");
    let concurrency = u32::try_from(CONCURRENCY_OF_FAKES).expect("so many");
    println!(
        "expected for those that hang: {PER_GUEST:?} x {hung} / {concurrency} = {:.2?}",
        PER_GUEST * hung / concurrency,
    );
}

/// A fleet of fakes, of which so many hang and so many are dead.
async fn fakes(count: usize, bad: usize) {
    let (mut agents, mut clients) = (Vec::new(), Vec::new());
    for number in 0..count {
        let (agent, stream) = TestAgent::in_memory();
        clients.push((format!("vm{number}"), Client::new(stream)));
        match number % 100 {
            7 if bad > 0 => agent.on("guest-get-osinfo").fault(Fault::no_answer()),
            57 if bad > 0 => continue, // dropped, and so dead
            _ => {}
        }
        agents.push(agent);
    }
    let fleet = Fleet::clients(clients)
        .concurrency(CONCURRENCY_OF_FAKES)
        .per_guest(PER_GUEST);
    let before = memory("VmRSS:");
    let start = Instant::now();
    let mut run = fleet.run(|client| async move { client.execute(GetOsInfo).await });
    while run.next().await.is_some() {}
    println!(
        "{}\n  in {:.2?}; {before} MiB before the run, {} MiB after it, {} MiB at most",
        run.summary(),
        start.elapsed(),
        memory("VmRSS:"),
        memory("VmHWM:"),
    );
}

/// Of this process, in MiB.
fn memory(key: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("this process");
    let line = status.lines().find_map(|line| line.strip_prefix(key));
    let kib = line.expect("its memory").trim().trim_end_matches(" kB");
    kib.parse::<u64>().expect("a number") / 1024
}
