//! A program in the guest: its output, and how it ended.

use std::env;
use std::time::Duration;

use qga_commands::Guest;
use qga_testserver::TestAgent;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut fake = None; // a fake agent, unless there is an address
    let address = if let Some(address) = env::args().nth(1) {
        address
    } else {
        let fake = fake.insert(TestAgent::start().await);
        fake.program("uname").stdout("6.12.43\n").exit(0);
        fake.address()
    };
    let guest = Guest::connect(address).await?;

    let output = guest
        .command("uname")
        .arg("-r")
        .timeout(Duration::from_secs(10))
        .kill_on_drop(true)
        .output()
        .await?;
    println!("{}: {}", output.status, output.stdout_text()?.trim_end());
    Ok(())
}
