//! A program in the guest: its output, and how it ended.

use std::env;
use std::time::Duration;

use qga_commands::Guest;
use qga_testserver::TestAgent;
use serde_json::json;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let agent = TestAgent::start().await;
    agent.on("guest-exec").reply(json!({"pid": 1234}));
    let ended = json!({"exited": true, "exitcode": 0, "out-data": "Ni4xMi40Mwo="});
    agent.on("guest-exec-status").reply(ended);
    let address = env::args().nth(1).unwrap_or(agent.address());
    let guest = Guest::connect(address).await?;

    let output = guest
        .command("uname")
        .arg("-r")
        .deadline(Duration::from_secs(10))
        .kill_on_drop(true)
        .output()
        .await?;
    println!("{}: {}", output.status, output.stdout_text()?.trim_end());
    Ok(())
}
