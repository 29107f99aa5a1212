//! What a hostile reply costs. The guest runs in this process and the client in another one, which
//! is this test started once more, so that the client's memory is measured alone.

use std::process::Command;
use std::time::Duration;

use qga_core::{Client, ErrorKind, Malformed, Options, Stage};
use qga_testserver::{Fault, TestAgent};

use crate::{GetHostName, Ping};

const ADDRESS: &str = "QGA_HOSTILE_AGENT";
/// In KiB.
const COST: u64 = 16 * 1024;
/// Of the replies to the client, the first is that to its sync, and the second that to its ping.
const THIRD: usize = 3;

/// Runs `fault` as the guest, or `client` as the process that is measured.
fn measured(name: &str, fault: impl FnOnce(&TestAgent), client: impl AsyncFnOnce(Client)) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    match std::env::var(ADDRESS) {
        Ok(address) => runtime.block_on(measure(&address, client)),
        Err(_) => runtime.block_on(async {
            let agent = TestAgent::start().await;
            fault(&agent);
            let address = agent.address();
            let name = format!("memory::{name}");
            let child = move || {
                Command::new(std::env::current_exe().unwrap())
                    .args(["--exact", &name, "--nocapture"])
                    .env(ADDRESS, address)
                    .output()
                    .unwrap()
            };
            let output = tokio::task::spawn_blocking(child).await.unwrap();
            let said = [output.stdout, output.stderr].concat();
            let said = String::from_utf8_lossy(&said);
            assert!(
                output.status.success() && said.contains("it cost"),
                "{said}"
            );
            println!("{said}");
        }),
    }
}

async fn measure(address: &str, hurt: impl AsyncFnOnce(Client)) {
    let options = Options::new().timeout(Duration::from_secs(120));
    let builder = Client::builder()
        .options(options)
        .connect_timeout(Duration::from_secs(120));
    forget_peak();
    let before = peak();
    let client = builder.connect(address).await.unwrap();
    client.execute(Ping).await.unwrap();
    let start = std::time::Instant::now();
    hurt(client).await;
    let cost = peak() - before;
    println!("it cost {cost} KiB and {:?}", start.elapsed());
    assert!(cost < COST, "it cost {cost} KiB");
}

/// Makes the peak what there is now.
fn forget_peak() {
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
}

/// The most memory that this process has had, in KiB.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.unwrap()
        .trim()
        .trim_end_matches(" kB")
        .parse()
        .unwrap()
}

fn third(fault: Fault) -> impl FnOnce(&TestAgent) {
    |agent| agent.fault(fault.on_reply(THIRD))
}

#[test]
fn a_line_of_two_gib_costs_less_than_16_mib_and_the_next_command_works() {
    let name = "a_line_of_two_gib_costs_less_than_16_mib_and_the_next_command_works";
    measured(name, third(Fault::long_line(2 << 30)), async |client| {
        let error = client.execute(GetHostName).await.unwrap_err();
        assert!(
            matches!(error.kind(), ErrorKind::ReplyTooLong(10_485_760)),
            "{error:?}"
        );
        client.execute(Ping).await.unwrap();
    });
}

#[test]
fn a_million_nested_brackets_are_refused_and_the_next_command_works() {
    let name = "a_million_nested_brackets_are_refused_and_the_next_command_works";
    measured(
        name,
        third(Fault::deep_nesting(1_000_000)),
        async |client| {
            let error = client.execute(GetHostName).await.unwrap_err();
            let ErrorKind::Malformed { reason, .. } = error.kind() else {
                panic!("{error:?}");
            };
            assert_eq!(*reason, Malformed::TooDeep);
            client.execute(Ping).await.unwrap();
        },
    );
}

/// A million lines of 15 bytes come before the first sync's answer.
#[test]
fn a_million_lines_before_a_sync_cost_no_memory() {
    let name = "a_million_lines_before_a_sync_cost_no_memory";
    let lines = |agent: &TestAgent| agent.fault(Fault::lines_first(15_000_000));
    measured(name, lines, async |client| {
        client.execute(Ping).await.unwrap();
    });
}

#[test]
fn endless_replies_to_nobody_cost_no_memory() {
    let name = "endless_replies_to_nobody_cost_no_memory";
    measured(name, third(Fault::endless_lines()), async |client| {
        let brief = client.options().timeout(Duration::from_millis(300));
        let client = client.with_options(brief);
        for stage in [Stage::Receive, Stage::Sync] {
            let error = client.execute(GetHostName).await.unwrap_err();
            assert!(error.is_timeout(), "{error}");
            assert_eq!(error.stage(), stage);
        }
    });
}
