//! The first program of the README: a guest, and what it is called.

use qga_commands::Guest;
use qga_testserver::TestAgent;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let agent = TestAgent::start().await; // a fake guest, so that this runs anywhere
    let guest = Guest::connect(agent.address()).await?;
    println!("{} says hello", guest.host_name().await?);
    Ok(())
}
