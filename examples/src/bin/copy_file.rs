//! A file written into the guest, and copied out of it again piece by piece.

use std::env;

use qga_commands::Guest;
use qga_testserver::TestAgent;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let agent = TestAgent::start().await;
    let mut arguments = env::args().skip(1);
    let address = arguments.next().unwrap_or(agent.address());
    let guest = Guest::connect(address).await?;

    let path = arguments.next().unwrap_or("/tmp/greeting".to_owned());
    guest.write(&path, "hello from the host\n").await?;

    let mut file = guest.open(&path).await?;
    let mut copy = tokio::io::sink(); // or a tokio::fs::File
    let bytes = tokio::io::copy(&mut file, &mut copy).await?;
    file.close().await?;
    println!("copied {bytes} bytes from {path}");
    Ok(())
}
