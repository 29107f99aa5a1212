//! What an agent costs, measured in a process of its own, which is this test started once more.

use std::process::Command;

use qga_core::Client;
use qga_testserver::TestAgent;
use serde_json::Value;

const MEASURED: &str = "QGA_TESTSERVER_MEMORY";
const AGENTS: u64 = 2000;
/// In bytes, of one agent with a client that has sent a ping.
const COST: u64 = 12 * 1024;

/// The memory that this process has now, in bytes.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.unwrap().trim().trim_end_matches(" kB");
    kib.parse::<u64>().unwrap() * 1024
}

async fn pinged() -> (TestAgent, Client) {
    let (agent, stream) = TestAgent::in_memory();
    let client = Client::new(stream);
    let ping = client.execute_raw("guest-ping", Value::Null);
    ping.await.unwrap();
    (agent, client)
}

#[test]
fn thousands_of_connected_agents_fit_into_memory() {
    if std::env::var_os(MEASURED).is_none() {
        let name = "memory::thousands_of_connected_agents_fit_into_memory";
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", name, "--nocapture"])
            .env(MEASURED, "1")
            .env("MALLOC_ARENA_MAX", "1")
            .output()
            .unwrap();
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        let is_measured = output.status.success() && said.contains("bytes each");
        assert!(is_measured, "{said}");
        return println!("{said}");
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut agents = Vec::with_capacity(usize::try_from(AGENTS).unwrap() + 10);
        for _ in 0..10 {
            agents.push(pinged().await);
        }
        let before = resident();
        for _ in 0..AGENTS {
            agents.push(pinged().await);
        }
        let each = resident().saturating_sub(before) / AGENTS;
        println!("{each} bytes each");
        assert!(each < COST, "{each} bytes each");
    });
}
