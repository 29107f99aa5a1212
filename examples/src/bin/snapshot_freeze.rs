//! A snapshot of a guest whose filesystems are at rest, and are thawed whatever happens.

use std::env;
use std::time::Duration;

use qga_commands::Guest;
use qga_testserver::TestAgent;

/// Where your storage takes its snapshot.
async fn take_snapshot() -> std::io::Result<String> {
    tokio::time::sleep(Duration::from_millis(10)).await;
    Ok("snapshot-1".to_owned())
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let agent = TestAgent::start().await;
    let address = env::args().nth(1).unwrap_or(agent.address());
    let guest = Guest::connect(address).await?;

    let (snapshot, thawed) = guest.while_frozen(take_snapshot).await?;
    let (name, thawed) = (snapshot?, thawed?);
    if thawed.is_complete() {
        println!("{name} is consistent");
    } else {
        println!("{name} may not be consistent: {thawed:?}");
    }
    Ok(())
}
