//! A program in the guest, whose output is read while it runs.

use std::env;

use qga_commands::Guest;
use qga_testserver::TestAgent;
use tokio::io::{AsyncBufReadExt, BufReader};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut fake = None; // a fake agent, unless there is an address
    let address = match env::args().nth(1) {
        Some(address) => address,
        None => fake.insert(TestAgent::start().await).address(),
    };
    let guest = Guest::connect(address).await?;

    let mut child = guest
        .command("sh")
        .args(["-c", "echo backing up; sleep 0.5; echo done; exit 3"])
        .kill_on_drop(true)
        .spawn()
        .await?;
    if let Some(stdout) = child.stdout.take() {
        let mut lines = BufReader::new(stdout).lines();
        while let Some(line) = lines.next_line().await? {
            println!("{}: {line}", child.pid());
        }
    }
    println!("{}", child.wait().await?);
    Ok(())
}
