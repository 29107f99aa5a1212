//! How busy a copy of 64 MiB keeps a real agent, and what memory it takes here.
//!
//! An agent does one thing at a time, so a copy cannot go faster than when the agent's process has a
//! core to itself all the time. Prints, for each way to copy, that process's share of a core over the
//! whole call, the share of the time in which it could have had one, the rate, and by how much this
//! process has grown at most.

use std::path::Path;
use std::time::{Duration, Instant};

use qga_commands::Guest;
use qga_testserver::real_agent::RealAgent;

const LENGTH: usize = 64 * 1024 * 1024;
const ROUNDS: usize = 10;

#[tokio::main]
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
    for _ in 0..ROUNDS {
        measure("download", &agent, || by_download(&guest, &source, &target)).await;
        check(&target);
        measure("file", &agent, || by_file(&guest, &source, &target)).await;
        check(&target);
    }
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

async fn measure<F: Future<Output = ()>>(name: &str, agent: &RealAgent, copy: impl FnOnce() -> F) {
    // The peak of this process's memory is counted from here.
    std::fs::write("/proc/self/clear_refs", "5").expect("clear_refs");
    let memory = status("VmRSS");
    let ([ran, waited], start) = (cpu_time(agent.pid()), Instant::now());
    copy().await;
    let wall = start.elapsed();
    let after = cpu_time(agent.pid());
    let (cpu, queued) = (after[0] - ran, after[1] - waited);
    println!(
        "{name:9} agent {:5.1} % of a core, {:5.1} % of what other processes left it, {:4.0} MiB/s, {:5.1} MiB of memory",
        100.0 * cpu.as_secs_f64() / wall.as_secs_f64(),
        100.0 * cpu.as_secs_f64() / (wall.saturating_sub(queued)).as_secs_f64(),
        LENGTH as f64 / (1 << 20) as f64 / wall.as_secs_f64(),
        (status("VmHWM") - memory) / 1024.0,
    );
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
