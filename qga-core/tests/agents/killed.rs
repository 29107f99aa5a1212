//! What is left of a channel when the program that has it is killed.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use qga_core::Options;

use crate::any::{Connecting, Driver};
use crate::channel::Channel;
use crate::host::{Host, Kind};

/// What makes this test's program hold a channel until it is killed; the client, the address and the words in the
/// place of `ssh` follow.
const ARGUMENT: &str = "--hold";

/// The holder, if this program was started as one.
pub(crate) fn main() -> Option<ExitCode> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [first, driver, address, ssh @ ..] = &arguments[..] else {
        return None;
    };
    (first == ARGUMENT).then_some(())?;
    let driver = match driver.as_str() {
        "blocking" => Driver::Blocking,
        _ => Driver::Tokio,
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let connecting = Connecting::by(driver, ssh.to_vec());
        let client = connecting.connect(address).await.unwrap();
        client.sync().await.unwrap();
        println!("has it");
        std::io::stdout().flush().unwrap();
        std::future::pending::<()>().await;
    });
    None
}

/// Kills a program that has a channel, and sees that the next one gets it, and that no program is left behind.
pub(crate) fn run(driver: Driver, channel: Channel) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let host = Host::start(Kind::Real, driver, channel, &[]).await;
        let mut holder = Command::new(std::env::current_exe().unwrap());
        holder.arg(ARGUMENT).arg(driver.name().unwrap_or("tokio"));
        holder.arg(&host.address).args(&host.way.ssh);
        let mut holder = holder.stdout(Stdio::piped()).spawn().unwrap();
        let stdout = holder.stdout.take().unwrap();
        let said = tokio::task::spawn_blocking(|| {
            let mut line = String::new();
            BufReader::new(stdout).read_line(&mut line).unwrap();
            line
        });
        assert_eq!(said.await.unwrap(), "has it\n");
        holder.kill().unwrap();
        holder.wait().unwrap();
        while let Some(left) = program_with(host.socket()) {
            eprintln!("waiting for {left}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let patient = Options::new().timeout(Duration::from_secs(60));
        let client = Connecting::over(driver, &host.way)
            .connect_timeout(Duration::from_secs(60))
            .options(patient)
            .connect(&host.address)
            .await
            .unwrap();
        client.sync().await.unwrap();
    });
}

/// A program that was started to reach this socket, other than its agent.
fn program_with(socket: &Path) -> Option<String> {
    let socket = socket.to_str().unwrap();
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let mut command_lines = processes.filter_map(|process| {
        let words = std::fs::read(process.path().join("cmdline")).ok()?;
        Some(String::from_utf8_lossy(&words).replace('\0', " "))
    });
    command_lines.find(|words| words.contains(socket) && !words.contains("qemu-ga"))
}
